"""Pages opened in a browser; where there is none, one line says what was not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.chromium import PATIENCE, SKIPPED, OpenFile, running

collect_ignore = ["test_browser.py"] if SKIPPED else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if SKIPPED:
        terminalreporter.write_line("not run: the static board's browser tests need chromium")


chromium = pytest.fixture(scope="package")(running)


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenFile]:
    """Opens a file of a site at a size and in a theme; a script's error fails the test."""
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    def opened(path: Path, *, width: int = 1280, dark: bool = False, query: str = "") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri() + query)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []
