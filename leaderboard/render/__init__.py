"""Pure renderers: results in, text out. The same for Space, static board, report and terminal."""
