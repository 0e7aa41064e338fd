"""Served Spaces and a browser; where there is none, one line says what was not run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from space_app.app_context import Context
from space_app.build_app import Space
from space_app.live_board import LiveBoard
from tests.chromium import PATIENCE, REQUIRED, SKIPPED, OpenPage, running
from tests.leaderboard.many import many_models
from tests.space.backends import ScriptedBackend
from tests.space.boards import MemoryStore, context, settings, sliding_settings
from tests.space.serving import Served, served

AXE_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mergebot-tests"
AXE = AXE_CACHE / "node_modules/axe-core/axe.min.js"
HAS_AXE = AXE.exists() or shutil.which("npm") is not None
collect_ignore_glob = ["browser/*"] if SKIPPED else []
collect_ignore = [] if HAS_AXE or REQUIRED else ["browser/test_accessibility.py"]

SCRIPTS = {
    "count": " ".join(str(number) for number in range(1, 60)),
    "long": "\n\n".join(f"Line {number} of a long answer." for number in range(80)),
    "evil": "<script>window.hacked=1</script><img src=x onerror=window.hacked=1> **bold**",
    "hello": "A first sentence. And a second one.",
    "who": "I am sort-ft. Nice to meet you.",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if SKIPPED:
        terminalreporter.write_line("not run: the Space's browser tests need chromium")
    elif not HAS_AXE and not REQUIRED:
        terminalreporter.write_line("not run: the Space's accessibility tests need npm")


chromium = pytest.fixture(scope="package")(running)


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens an address of a Space at a size and in a theme; a script's error fails the test."""
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    def opened(address: str, *, width: int = 1280, dark: bool = False) -> Page:
        here = chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(here)
        page = here.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for here in contexts:
        here.close()
    assert errors == []


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Three merges with their parents, one hostile name, one failure, and scripted answers."""
    backend = ScriptedBackend(SCRIPTS, pause=0.03, templates={"good", "plain", "bad", "sort-ft"})
    folder: Path = tmp_path_factory.mktemp("small")
    yield from served(Space(context(folder, backends=[backend])), backend)


@pytest.fixture(scope="session")
def sliding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One merge of real parents that can be made again."""
    backend = ScriptedBackend(SCRIPTS)
    changes = sliding_settings()
    folder = tmp_path_factory.mktemp("sliding")
    yield from served(Space(context(folder, backends=[backend], **changes)), backend)


@pytest.fixture(scope="session")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Ten thousand models."""
    board = many_models(10_000)
    base = settings(tmp_path_factory.mktemp("big"))
    live = LiveBoard(MemoryStore(()), build=lambda _records, suite=None: board)
    yield from served(Space(Context.of(base, live)))
