"""The board as a folder of plain HTML that needs no server."""

from __future__ import annotations

from leaderboard.site.build_site import write_site

__all__ = ["write_site"]
