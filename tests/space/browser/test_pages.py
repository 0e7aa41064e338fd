"""Model, compare and submit in a real browser, and the typed endpoints."""

from __future__ import annotations

import httpx
import pytest

from leaderboard.number_format import signed
from leaderboard.render.board_json import model_id
from tests.chromium import OpenPage
from tests.leaderboard.samples import HOSTILE_TEXTS
from tests.present import present
from tests.space.covering import covers
from tests.space.serving import Served

pytestmark = pytest.mark.browser


def address(space: Served, *names: str) -> str:
    rows = [space.context.live.current.find(name) for name in names]
    return "&".join(f"m={model_id(present(row).key)}" for row in rows)


@covers("MP1", "MP3")
def test_a_models_address_opens_its_page_with_its_recorded_differences(
    small: Served, open_page: OpenPage
) -> None:
    row = small.context.live.current.find("good")
    page = open_page(f"{small.url}?model={model_id(present(row).key)}")
    page.wait_for_selector("#model-page .mb-verdict")
    assert page.inner_text("#model-page h1") == "good"
    best = max(
        present(present(row).record).suites[0].comparisons,
        key=lambda one: present(present(row).record).suites[0].headline[one.parent].value,
    )
    shown = page.inner_text("#model-page table")
    for task in best.tasks:
        assert signed(task.delta) in shown


def test_links_between_models_stay_in_the_page(small: Served, open_page: OpenPage) -> None:
    row = small.context.live.current.find("good")
    page = open_page(f"{small.url}?model={model_id(present(row).key)}")
    page.wait_for_selector("#model-page .mb-verdict")
    page.evaluate("window.stayed = true")
    page.click("#model-page summary:has-text('The same as a list')")
    page.locator("#model-page .mb-lineage a", has_text="base").first.click()
    page.wait_for_function("document.querySelector('#model-page h1').innerText === 'base'")
    assert page.evaluate("window.stayed")


@covers("MP7")
def test_an_unknown_model_offers_names_like_it(small: Served, open_page: OpenPage) -> None:
    page = open_page(f"{small.url}?model=goood")
    page.wait_for_selector("#model-page li")
    assert "There is no model “goood”" in page.inner_text("#model-page h1")
    page.click("#model-page li a:has-text('good')")
    page.wait_for_selector("#model-page .mb-verdict")


@covers("CP1", "CP2")
def test_a_comparison_lives_in_its_address_and_swaps(small: Served, open_page: OpenPage) -> None:
    query = address(small, "base", "good", "plain")
    page = open_page(f"{small.url}?tab=compare&{query}")
    page.wait_for_selector("#compare-page .mb-section")
    assert page.inner_text("#compare-page h1") == "good and plain against base"
    page.click("#compare-swap")
    page.wait_for_function(
        "document.querySelector('#compare-page h1').innerText === 'base and plain against good'"
    )
    page.wait_for_function("query => location.search.endsWith(query)",
                           arg=address(small, "good", "base", "plain"))  # fmt: skip
    page.reload()
    page.wait_for_selector("#compare-page .mb-section")
    assert page.inner_text("#compare-page h1") == "base and plain against good"
    page.click("#compare-page [data-copy]")
    page.wait_for_function("document.querySelector('[data-copy]').innerText === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").startswith("| Task | good | base |")


@pytest.mark.parametrize("width", [320, 1280])
def test_hostile_items_are_read_in_words_and_run_nothing(
    small: Served, open_page: OpenPage, width: int
) -> None:
    query = address(small, "base", "good")
    page = open_page(f"{small.url}?tab=compare&{query}", width=width)
    page.wait_for_selector("#compare-page details")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    shown = page.inner_text("#compare-page")
    assert HOSTILE_TEXTS[0] in shown
    assert HOSTILE_TEXTS[1] in shown
    assert page.locator("#compare-page img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_item_is_sent_before_somebody_compares(small: Served) -> None:
    first = [httpx.get(small.url + path).text for path in ("", "board/data", "board/extra")]
    assert "good" in first[0]
    assert not [text for text in first if "javascript:alert(1)" in text or "after line" in text]


@covers("SB2", "SB5")
def test_a_recipe_is_checked_while_typing_and_survives_a_reload(
    small: Served, open_page: OpenPage
) -> None:
    page = open_page(f"{small.url}?tab=submit")
    box = "#recipe-text textarea"
    page.wait_for_selector(box)
    text = page.input_value(box)
    broken = text.replace("weight: 0.4", "wieght: 0.4")
    page.fill(box, broken)
    page.wait_for_selector("#recipe-check a[data-line]")
    assert "did you mean `weight`" in page.inner_text("#recipe-check")
    page.locator("#recipe-check a[data-line]").first.click()
    chosen = page.evaluate(
        "(e => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)"
    )
    assert chosen.strip() == "wieght: 0.4"
    page.wait_for_timeout(300)
    page.reload()
    kept = "text => document.querySelector('#recipe-text textarea')?.value === text"
    page.wait_for_function(kept, arg=broken)
    page.wait_for_selector("#recipe-check a[data-line]")


def test_the_form_writes_the_recipe(small: Served, open_page: OpenPage) -> None:
    page = open_page(f"{small.url}?tab=submit")
    page.click("text=Build it with a form")
    page.fill("label:has-text('Models, one a line') textarea", "org/a 0.5\norg/b 0.5")
    page.fill("label:has-text('Base model') input, label:has-text('Base model') textarea", "org/c")
    page.click("#recipe-write")
    page.wait_for_function(
        "document.querySelector('#recipe-text textarea').value.includes('model: org/b')"
    )
    page.wait_for_function("document.querySelector('#recipe-check').innerText.includes('org/c')")


def test_programs_get_typed_answers(small: Served) -> None:
    from gradio_client import Client

    client = Client(small.url, verbose=False)
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/top_models", "/model", "/compare"}
    best = client.predict(2, "merge", api_name="/top_models")
    assert [one["name"] for one in best] == ["good", small.hostile]
    assert client.predict("good", api_name="/model")["record"]["name"] == "good"
    compared = client.predict(["base", "good"], api_name="/compare")
    assert compared["baseline"] == "base"
    assert compared["others"][0]["comparison"]["overall"]["delta"] > 0
