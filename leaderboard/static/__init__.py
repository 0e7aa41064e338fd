"""Style sheet and scripts that the static board and the Space share; plain files, no build step."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
STYLE = FOLDER / "board.css"
SCRIPTS = tuple(FOLDER / name for name in ("columns.js", "filters.js", "board.js"))
"""In the order in which a page loads them."""
