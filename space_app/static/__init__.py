"""What the Space adds to the board's style sheet and scripts."""

from __future__ import annotations

from pathlib import Path

from leaderboard.static import SCRIPTS, STYLE

FOLDER = Path(__file__).parent


def head() -> str:
    """Style and scripts for the page's head: the board's own, then the Space's."""
    styles = "\n".join(path.read_text("utf-8") for path in (STYLE, FOLDER / "space.css"))
    scripts = "\n".join(path.read_text("utf-8") for path in (*SCRIPTS, FOLDER / "space.js"))
    return f"<style>{styles}</style><script>{scripts}</script>"
