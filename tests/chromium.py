"""The browser of the tests that drive one, and whether a run may do without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("MERGEBOT_REQUIRE_BROWSER") == "1"
SKIPPED = not CHROMIUM and not REQUIRED


def running() -> Iterator[object]:
    """Chromium for as long as a fixture lasts.

    That must not be the whole session: Playwright keeps an event loop in this thread, in which
    neither a second Playwright nor ``asyncio.run`` can start.
    """
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "MERGEBOT_REQUIRE_BROWSER=1, and there is no chromium"
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
