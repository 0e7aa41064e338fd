"""The static board in a real browser, opened from a folder as a visitor without a server would."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from leaderboard.build_board import build_board
from leaderboard.site import write_site
from tests.chromium import OpenFile
from tests.leaderboard.samples import failed_record, record_of
from tests.present import present

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"
METHODS = ("ties", "slerp", "dare_ties")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(4)
    records = [record_of("good"), failed_record(), record_of(HOSTILE, (0.5, 0.9, 0.6))]
    for i in range(60):
        record = record_of(f"org/model-{i}", tuple(random.uniform(0.4, 0.9, 3)))
        recipe = record.recipe.model_copy(update={"method": METHODS[i % 3]})
        model = present(record.model).model_copy(
            update={"parameters": int(10 ** random.uniform(8, 10))}
        )
        changes = {"recipe": recipe, "model": model if i % 5 else None, "status": "ok"}
        records.append(record.model_copy(update=changes))
    return write_site(build_board(records), tmp_path_factory.mktemp("board") / "site")


def column(page: Page, key: str) -> list[str]:
    """The shown cells of a column."""
    found: list[str] = page.evaluate(
        """key => {
          const table = document.querySelector("#mb-table");
          const at = [...table.tHead.rows[0].cells].findIndex(th => th.dataset.column === key);
          return [...table.tBodies[0].rows].map(row => row.cells[at].innerText);
        }""",
        key,
    )
    return found


def wait_for_count(page: Page, number: int) -> None:
    page.wait_for_function(
        "start => document.querySelector('#mb-count').innerText.startsWith(start)",
        arg=f"Showing {number} ",
    )


def count(page: Page) -> str:
    return page.inner_text("#mb-count")


def test_the_scripts_rows_are_the_renderers_rows(open_page: OpenFile, index: Path) -> None:
    page = open_page(index)
    served = page.inner_html("#mb-table tbody")
    assert served.count("<tr") == 50
    page.click("th[data-column=name] button")
    assert page.inner_html("#mb-table tbody") != served
    page.click("th[data-column=score] button")
    assert page.inner_html("#mb-table tbody") == served


def test_search_is_and_within_or_between(open_page: OpenFile, index: Path) -> None:
    page = open_page(index)
    page.keyboard.press("/")
    page.keyboard.type("slerp model-1")
    wait_for_count(page, 5)
    assert all("model-1" in name for name in column(page, "name"))
    page.fill("#mb-search", "good; model-59")
    wait_for_count(page, 2)
    page.focus("#mb-search")
    page.keyboard.press("Escape")
    assert count(page).startswith("Showing 64 of 65 models")
    page.fill("#mb-search", "sort-ft")
    page.wait_for_function(
        "document.querySelector('#mb-count').innerText.startsWith('Showing 63 ')"
    )


def test_every_column_sorts_both_ways_with_missing_values_last(
    open_page: OpenFile, index: Path
) -> None:
    page = open_page(index)
    page.click("text=Filters and columns")
    for box in page.locator("[data-toggle]").all():
        box.check()
    page.click("button:has-text('Show 14 more')")
    for key in ("rank", "name", "score", "delta", "method", "params", "task:sort", "parents"):
        heading = page.locator(f'th[data-column="{key}"]')
        seen = []
        for _ in range(2):
            heading.locator("button").click()
            if page.locator("button:has-text('more')").is_visible():
                page.click("button:has-text('more')")
            seen.append((heading.get_attribute("aria-sort"), column(page, key)))
        assert {order for order, _ in seen} == {"ascending", "descending"}
        for _, cells in seen:
            missing = [i for i, cell in enumerate(cells) if cell in {"—", "base", "parent"}]
            assert missing == list(range(len(cells) - len(missing), len(cells)))
        if key == "score":
            values = [float(cell.split()[0]) for cell in dict(seen)["ascending"]]
            assert values == sorted(values)


def test_filters_never_renumber_and_the_address_restores_the_view(
    open_page: OpenFile, index: Path
) -> None:
    page = open_page(index)
    page.click("button:has-text('Show 14 more')")
    ranks = dict(zip(column(page, "name"), column(page, "rank"), strict=True))
    page.click("text=Filters and columns")
    page.select_option("[data-filter=method]", "ties")
    page.fill("[data-filter=max]", "3000")
    page.click("th[data-column=params] button")
    page.wait_for_function("document.querySelector('#mb-count').innerText.includes('Size')")
    names = column(page, "name")
    assert 0 < len(names) < 20
    assert all(ranks[name] == rank for name, rank in zip(names, column(page, "rank"), strict=True))
    query = "?" + (page.url.split("#")[-1] if "#" in page.url else page.url.split("?")[-1])
    again = open_page(index, query=query)
    assert column(again, "name") == names
    assert again.input_value("[data-filter=method]") == "ties"


def test_the_csv_is_the_view(open_page: OpenFile, index: Path) -> None:
    page = open_page(index)
    page.click("button:has-text('Merges')")
    page.fill("#mb-search", "img;good")
    wait_for_count(page, 2)
    with page.expect_download() as caught:
        page.click("text=CSV of this view")
    rows = list(csv.DictReader(Path(caught.value.path()).read_text("utf-8").splitlines()))
    assert [row["name"] for row in rows] == column(page, "name") == ["good", HOSTILE]
    assert rows[0]["score"] == "80.0"
    assert rows[0]["task:sort"] == "85.0"
    assert rows[0]["parents"] == "base, sort-ft"


def test_hostile_names_are_text(open_page: OpenFile, index: Path) -> None:
    page = open_page(index, query="?q=onerror")
    assert column(page, "name") == [HOSTILE]
    assert page.locator("#lb img").count() == 0
    page.click("tbody a")
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img").count() == 0


def test_no_match_offers_the_way_back(open_page: OpenFile, index: Path) -> None:
    page = open_page(index)
    page.click("button:has-text('Merges')")
    page.fill("#mb-search", "xyz")
    page.wait_for_selector("text=No model matches “xyz” with 1 filter.")
    page.click("text=Clear search and filters")
    assert count(page).startswith("Showing 64 of 65")


def test_failed_models_come_out_when_asked_for(open_page: OpenFile, index: Path) -> None:
    page = open_page(index)
    page.click("button:has-text('show 1 failed or flagged')")
    page.click("th[data-column=score] button")
    page.click("button:has-text('more')")
    assert column(page, "name")[-1] == "broken"
    assert column(page, "rank")[-1] == "—"


def test_the_keyboard_is_enough(open_page: OpenFile, index: Path) -> None:
    page = open_page(index)
    page.focus("th[data-column=method] button")
    page.keyboard.press("Enter")
    focused = "document.activeElement.closest('th').dataset.column"
    assert page.evaluate(focused) == "method"
    assert page.locator("th[data-column=method]").get_attribute("aria-sort") == "ascending"
    page.focus("tbody a >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Family tree")


@pytest.mark.parametrize("width", [320, 360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_scrolls_sideways(open_page: OpenFile, index: Path, width: int, dark: bool) -> None:
    page = open_page(index, width=width, dark=dark)
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(11, 15, 25)" if dark else "rgb(255, 255, 255)")
        if page.locator("#lb").count():
            page.locator("tbody a").first.click()
    if width < 700:
        sticky = "getComputedStyle(document.querySelector('#mb-table th[scope=row]')).position"
        page.goto(index.as_uri())
        assert page.evaluate(sticky) == "sticky"
