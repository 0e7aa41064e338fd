"""The board tab in a real browser."""

from __future__ import annotations

import csv
import io
import json

import httpx
import pytest
from playwright.sync_api import Page

from space_app.live_board import LiveBoard
from space_app.votes.vote_database import Vote, VoteDatabase
from tests.chromium import OpenPage
from tests.present import present
from tests.space.boards import MemoryStore
from tests.space.covering import covers
from tests.space.serving import Served

pytestmark = pytest.mark.browser

ROWS = "#mb-table tbody tr"


def ids(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(ROWS, "rows => rows.map(row => row.dataset.id)")
    return found


def column(page: Page, key: str) -> list[str]:
    found: list[str] = page.evaluate(
        """key => {
          const table = document.querySelector("#mb-table");
          const at = [...table.tHead.rows[0].cells].findIndex(th => th.dataset.column === key);
          return [...table.tBodies[0].rows].map(row => row.cells[at].innerText);
        }""",
        key,
    )
    return found


def ready(page: Page) -> None:
    """The script has taken over: its own button for more rows is there."""
    page.wait_for_function("document.querySelector('.mb-empty + button.mb-button') !== null")


def counted(page: Page, start: str) -> None:
    page.wait_for_function(
        "start => document.querySelector('#mb-count').innerText.startsWith(start)", arg=start
    )


@covers("LB1")
def test_fifty_rows_are_in_the_first_response(big: Served) -> None:
    page = httpx.get(big.url, headers={"Accept-Encoding": "gzip"}).text
    assert page.count("data-id=") == 50


@covers("LB10")
def test_ten_thousand_models_stay_light(big: Served, open_page: OpenPage) -> None:
    answers = []
    page = open_page("about:blank")
    page.on("response", lambda answer: answers.append(answer))
    page.goto(big.url)
    ready(page)
    assert len(ids(page)) == 50
    data = next(answer for answer in answers if "/board/data" in answer.url)
    assert data.headers["content-encoding"] in {"gzip", "br"}
    assert int(data.headers["content-length"]) <= 250_000
    wanted = [answer.url.lower() for answer in answers]
    heavy = ("plotly", "mermaid", "vega")
    assert not [url for url in wanted if any(name in url for name in heavy)]
    assert not [url for url in wanted if "/board/extra" in url]
    page.click("text=Show 100 more")
    assert len(ids(page)) == 150


@covers("LB2", "LB4", "LB5")
def test_search_narrows_keeps_ranks_and_lives_in_the_address(
    big: Served, open_page: OpenPage
) -> None:
    page = open_page(big.url)
    ready(page)
    rank_of = dict(zip(ids(page), column(page, "rank"), strict=True))
    page.fill("#mb-search", "ties nova")
    page.wait_for_function("!document.querySelector('#mb-count').innerText.includes('10,000 of')")
    names = column(page, "name")
    assert names
    assert all("ties" in name and "nova" in name for name in names)
    for model, rank in zip(ids(page), column(page, "rank"), strict=True):
        assert rank_of.get(model, rank) == rank
    page.click("th[data-column=params] button")
    before = ids(page)
    assert "q=ties+nova" in page.url
    page.reload()
    ready(page)
    page.wait_for_function("id => document.querySelector('#mb-table tbody tr').dataset.id === id",
                           arg=before[0])  # fmt: skip
    assert ids(page) == before
    page.click("[data-action=link]")
    page.wait_for_function("document.querySelector('[data-action=link]').innerText === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").split("?")[1] == page.url.split("?")[1]


@covers("LB3")
@pytest.mark.parametrize("key", ["params", "delta", "name"])
def test_headings_sort_both_ways_with_missing_values_last(
    small: Served, open_page: OpenPage, key: str
) -> None:
    page = open_page(small.url)
    ready(page)
    heading = f"th[data-column={key}]"
    page.click(f"{heading} button")
    first = page.get_attribute(heading, "aria-sort")
    once = column(page, key)
    page.click(f"{heading} button")
    assert {first, page.get_attribute(heading, "aria-sort")} == {"ascending", "descending"}
    twice = column(page, key)
    known = [text for text in once if text not in {"—", "parent", "base"}]
    assert once[: len(known)] == known
    assert twice[: len(known)] == known[::-1] or len(set(known)) < len(known)


@covers("LB6")
def test_the_csv_is_the_view(small: Served, open_page: OpenPage) -> None:
    page = open_page(small.url)
    ready(page)
    page.click("[data-chip=kind][data-value=merge]")
    counted(page, "Showing 4 ")
    with page.expect_download() as download:
        page.click("[data-action=csv]")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8"))))
    assert [row["id"] for row in rows] == ids(page)
    board = small.context.live.current.board
    scores = {row.name: f"{100 * present(row.headline).value:.1f}" for row in board.rows}
    assert all(scores[row["name"].removeprefix("'")] == row["score"] for row in rows)


@covers("LB7")
@pytest.mark.parametrize("width", [320, 360])
def test_a_phone_scrolls_the_table_and_not_the_page(
    small: Served, open_page: OpenPage, width: int
) -> None:
    page = open_page(small.url, width=width, dark=width == 320)
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    name = "document.querySelector('#mb-table th[scope=row]')"
    assert page.evaluate(f"getComputedStyle({name}).position") == "sticky"


@covers("LB8", "MP1")
def test_the_keyboard_is_enough_to_find_sort_and_open(small: Served, open_page: OpenPage) -> None:
    page = open_page(small.url)
    ready(page)
    page.keyboard.press("/")
    page.keyboard.type("good")
    counted(page, "Showing 1 ")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('th[data-column=name]') !== null"):
            break
    page.keyboard.press("Enter")
    assert page.get_attribute("th[data-column=name]", "aria-sort") == "ascending"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#mb-table tbody a')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#model-page .mb-verdict")
    page.wait_for_function("document.activeElement.tagName === 'H1'")
    assert page.evaluate("document.activeElement.innerText") == "good"
    assert "model=" in page.url
    page.reload()
    page.wait_for_selector("#model-page .mb-verdict")
    page.go_back()
    page.wait_for_selector("#mb-table tbody tr")


@covers("LB9")
def test_hostile_names_are_text(small: Served, open_page: OpenPage) -> None:
    page = open_page(small.url)
    ready(page)
    page.fill("#mb-search", "onerror")
    counted(page, "Showing 1 ")
    assert small.hostile in column(page, "name")[0]
    page.click("#mb-table tbody a")
    page.wait_for_selector("#model-page .mb-verdict")
    assert page.evaluate("window.hacked") is None
    assert page.locator("#model-page img").count() == 0


@covers("LB12")
def test_no_match_offers_the_way_back(small: Served, open_page: OpenPage) -> None:
    page = open_page(small.url + "?q=nothing-is-called-so")
    page.wait_for_selector("text=No model matches")
    page.click("text=Clear search and filters")
    counted(page, "Showing 6 of 7")


def test_four_can_be_chosen_and_compared(small: Served, open_page: OpenPage) -> None:
    page = open_page(small.url)
    ready(page)
    boxes = page.locator("#mb-table input[type=checkbox]")
    for place in range(5):
        boxes.nth(place).click()
    assert page.inner_text("[data-action=compare]") == "Compare 4"
    page.click("[data-action=compare]")
    page.wait_for_selector("#compare-page .mb-section")
    assert page.locator("#compare-page .mb-verdict").count() == 3


def test_a_newer_board_reaches_the_next_visitor_without_a_restart(
    small: Served, open_page: OpenPage
) -> None:
    store = small.context.settings.store
    assert isinstance(store, MemoryStore)
    kept = store.records
    try:
        store.records = kept[:1]
        small.context.live.refresh()
        page = open_page(small.url)
        ready(page)
        counted(page, "Showing 3 ")
        page.wait_for_function(f"document.querySelectorAll('{ROWS}').length === 3")
    finally:
        store.records = kept
        small.context.live.refresh()
    assert json.loads(httpx.get(small.url + "board/data").text)["ranked"] == 6
    assert isinstance(small.context.live, LiveBoard)


def test_votes_are_a_column_for_those_who_ask(small: Served, open_page: OpenPage) -> None:
    database = VoteDatabase(small.context.settings.votes)
    for number, (left, right) in enumerate((("base", "digest-good"), ("sort-ft", "digest-good"))):
        database.add(
            Vote(
                round=f"column-{number}", created=float(number), visitor="someone", left=left,
                right=right, choice="right", settings={},
            )
        )  # fmt: skip
    page = open_page(small.url)
    ready(page)
    assert page.locator('th[data-column="votes"]').count() == 0
    page.click("text=Filters and columns")
    page.check("[data-toggle=votes]")
    page.wait_for_function("document.querySelector('#mb-table').innerText.includes('provisional')")
    page.click('th[data-column="votes"] button')
    shown = dict(zip(column(page, "name"), column(page, "votes"), strict=True))
    assert shown["good"] == "100 % [34, 100] of 2, provisional"
    assert list(shown.values())[-1] == "—", "what nobody voted on comes last"
    database.delete_votes("someone", 10.0)
