"""How the Space does: first rows, filters and sorting of ten thousand models, and a crowd.

::

    python -m benchmarks.space            needs chromium and playwright

Everything runs on this machine, server, browser and crowd alike, so that times are upper bounds.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from space_app.app_context import Context
from space_app.build_app import Space
from space_app.chat.chat_backend import ChatModel, Sampling, Turn
from space_app.chat.chat_service import ChatUpdate, Question
from space_app.live_board import LiveBoard
from tests.chromium import CHROMIUM
from tests.leaderboard.many import many_models
from tests.space.backends import ScriptedBackend
from tests.space.boards import MemoryStore, settings

MODELS = 10_000
CLICKS = ("params", "name", "method", "delta", "license", "score")
QUERIES = ("ties", "nova 7b", "slerp;dare", "org12", "")
ANSWER = " ".join(str(number) for number in range(100))


@contextmanager
def big_space(folder: Path, models: int = MODELS) -> Iterator[tuple[str, Context]]:
    """A served Space with this many models and a scripted engine of 100 tokens at 50 a second."""
    board = many_models(models)
    base = settings(folder, backends=[ScriptedBackend({"count": ANSWER}, pause=0.02)])
    live = LiveBoard(MemoryStore(()), build=lambda _records, suite=None: board)  # noqa: ARG005
    here = Context.of(base, live)
    space = Space(here)
    _, url, _ = space.launch(prevent_thread_lock=True, quiet=True)
    try:
        yield url, here
    finally:
        space.blocks.close(verbose=False)


def crowd(url: str, here: Context, *, visitors: int = 50, chats: int = 5) -> dict[str, float]:
    """Seconds that visitors wait for page and data, alone and while five people chat."""
    visit(url)  # the first page is rendered once for all
    figures = {"page alone": _median(visit(url) for _ in range(5))}
    finished: list[ChatUpdate] = []
    talkers = [
        threading.Thread(target=lambda n=n: finished.append(talk(here, n))) for n in range(chats)
    ]
    for talker in talkers:
        talker.start()
    began = time.monotonic()
    with ThreadPoolExecutor(visitors) as pool:
        waits = sorted(pool.map(lambda _: visit(url), range(visitors)))
    figures["all pages"] = time.monotonic() - began
    figures["page median"] = statistics.median(waits)
    figures["page p95"] = waits[int(0.95 * (len(waits) - 1))]
    for talker in talkers:
        talker.join()
    figures["chats answered"] = sum(shown.status == "Done." for shown in finished)
    return figures


def visit(url: str) -> float:
    """Seconds for the page and the table's data."""
    began = time.monotonic()
    with httpx.Client(timeout=60, headers={"Accept-Encoding": "gzip"}) as client:
        page = client.get(url)
        data = client.get(f"{url}board/data")
    assert page.status_code == data.status_code == 200
    assert "data-id=" in page.text
    return time.monotonic() - began


def talk(here: Context, number: int) -> ChatUpdate:
    """One visitor's question, with its place in the line; gives the last thing shown."""
    model = ChatModel(key="m", name="m", location="org/m", size=1)
    question = Question(
        visitor=f"visitor-{number}", models=(model,), histories=((Turn("user", "count"),),),
        system="", sampling=Sampling(),
    )  # fmt: skip
    *_, last = here.chat_service.ask(f"session-{number}", question)
    return last


def browse(url: str) -> dict[str, float]:
    """Milliseconds in a headless browser: first rows, drawing after filters and sorting, a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        figures = {"first rows": _median(_first_rows(page, url) for _ in range(3))}
        figures |= _update_times(page)
        figures["model page"] = _timed(lambda: _open_model(page))
        figures["layout shift"] = _shift(page, url)
        browser.close()
    return figures


def _first_rows(page: Any, url: str) -> float:
    began = time.monotonic()
    page.goto(url)
    page.wait_for_selector("#mb-table tbody tr")
    return 1000 * (time.monotonic() - began)


def _update_times(page: Any) -> dict[str, float]:
    page.wait_for_selector(".mb-empty + button", state="attached")
    page.wait_for_timeout(500)
    page.evaluate("performance.clearMeasures('mergebot:update')")
    for key in CLICKS * 4:
        page.click(f"th[data-column={key}] button")
    for query in QUERIES * 4:
        page.fill("#mb-search", query)
        page.wait_for_timeout(150)
    times = page.evaluate(
        "performance.getEntriesByName('mergebot:update').map((entry) => entry.duration)"
    )
    times.sort()
    return {
        "update median": statistics.median(times),
        "update p95": times[int(0.95 * (len(times) - 1))],
        "updates": len(times),
    }


def _open_model(page: Any) -> None:
    page.locator("#mb-table tbody a").first.click()
    page.wait_for_selector("#model-page .mb-verdict")


def _shift(page: Any, url: str) -> float:
    page.goto("about:blank")
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => { for (const entry of"
        " list.getEntries()) window.shift += entry.value; }).observe({type: 'layout-shift',"
        " buffered: true});"
    )
    page.goto(url)
    page.wait_for_selector("#mb-table tbody tr")
    page.wait_for_timeout(1500)
    return float(page.evaluate("window.shift"))


def _timed(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return 1000 * (time.monotonic() - began)


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)


def main() -> None:
    """Print every figure."""
    with tempfile.TemporaryDirectory() as folder, big_space(Path(folder)) as (url, here):
        lean = here.live.current.lean
        print(f"{MODELS:,} models, first data {len(lean) / 1e3:.0f} kB gzip")
        for name, value in (browse(url) | crowd(url, here)).items():
            print(f"{name:16} {value:10.3f}")


if __name__ == "__main__":
    main()
