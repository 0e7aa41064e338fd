"""How a board of ten thousand models does: bytes on the wire, first rows, filters and sorting.

::

    python -m benchmarks.board            needs chromium and playwright

Sizes are of the data the table needs at once, compressed as a server would. Times are the main
thread's in a headless browser on this machine: from a click or the end of typing to drawn rows.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from leaderboard.board import Board
from leaderboard.site.build_site import site_files
from tests.leaderboard.many import many_models

CLICKS = ("params", "name", "method", "delta", "license", "score")
QUERIES = ("ties", "nova 7b", "slerp;dare", "org12", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10_000)
    count = parser.parse_args().models
    board = many_models(count)
    started = time.perf_counter()
    files = dict(
        itertools.takewhile(lambda file: not file[0].startswith("models/"), site_files(board))
    )
    print(f"{count:,} models, rendered in {time.perf_counter() - started:.1f} s")
    for path in ("index.html", "static/data.js", "static/extra.js"):
        size = len(files[path])
        print(
            f"{path:18} {size / 1e3:8.0f} kB, gzip {len(gzip.compress(files[path], 6)) / 1e3:.0f}"
        )
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        measure(Path(folder, "index.html"), board)


def measure(index: Path, board: Board) -> None:
    """Open the board, sort and search it, and print what the browser measured."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = player.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        started = time.perf_counter()
        page.goto(index.as_uri())
        page.locator("#mb-table tbody tr").first.wait_for()
        print(f"first rows         {time.perf_counter() - started:8.2f} s")
        for _ in range(3):
            for column in CLICKS:
                page.click(f'th[data-column="{column}"] button')
            for query in QUERIES:
                page.fill("#mb-search", query)
                page.wait_for_timeout(200)
        entries = page.evaluate(
            "performance.getEntriesByName('mergebot:update').map(entry => entry.duration)"
        )
        middle, high = np.percentile(entries, [50, 95])
        print(f"filter and sort    {middle:8.1f} ms median, {high:.1f} ms p95 of {len(entries)}")
        rows = page.locator("#mb-table tbody tr").count()
        print(f"rows in the page   {rows:8} of {len(board.rows):,}")
        browser.close()


if __name__ == "__main__":
    main()
