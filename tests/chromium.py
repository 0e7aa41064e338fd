"""The browser of the tests that drive one, and whether a run may do without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("MERGEBOT_REQUIRE_BROWSER") == "1"
PATIENCE = 200_000
"""Milliseconds that a page may take: a hang ends, and a loaded machine does not fail."""

SKIPPED = not CHROMIUM and not REQUIRED


class OpenPage(Protocol):
    """Opens an address of a Space in a page of its own, at a width and in a theme."""

    def __call__(self, address: str, *, width: int = 1280, dark: bool = False) -> Page: ...


class OpenFile(Protocol):
    """Opens a file of a static site in the same way; `query` is appended to its address."""

    def __call__(
        self, path: Path, *, width: int = 1280, dark: bool = False, query: str = ""
    ) -> Page: ...


def running() -> Iterator[Browser]:
    """Chromium for as long as a fixture lasts.

    That must not be the whole session: Playwright keeps an event loop in this thread, in which
    neither a second Playwright nor ``asyncio.run`` can start.
    """
    assert CHROMIUM, "MERGEBOT_REQUIRE_BROWSER=1, and there is no chromium"
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
