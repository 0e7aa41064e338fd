"""The chat tab in a real browser, with a backend whose answers are known."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from leaderboard.render.board_json import model_id
from tests.chromium import OpenPage
from tests.present import present
from tests.space.covering import covers
from tests.space.serving import Served

pytestmark = pytest.mark.browser

BOX = "#chat-message textarea"


def open_chat(
    open_page: OpenPage,
    space: Served,
    *,
    width: int = 1280,
    model: str = "good",
    mode: str = "One",
    spy: str = "",
) -> Page:
    row = space.context.live.current.find(model)

    page = open_page(f"{space.url}?tab=chat&model={model_id(present(row).key)}", width=width)
    if spy:
        page.add_init_script(spy)
        page.reload()
    page.wait_for_selector(BOX)
    page.wait_for_function(
        "name => document.querySelector('#chat-model input')?.value.startsWith(name)", arg=model
    )
    if mode != "One":
        page.click(f"#chat-mode label:has-text('{mode}')")
        page.wait_for_selector("#chat-pane-B", state="attached")
    return page


def send(page: Page, text: str) -> None:
    page.fill(BOX, text)
    page.press(BOX, "Enter")


def status_says(page: Page, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('#chat-status').innerText.includes(words)", arg=words
    )


def answered(page: Page, answers: int) -> None:
    """Wait for the end of that many answers; the status alone may be that of the one before."""
    page.wait_for_function(
        """answers => document.querySelectorAll("#chat-pane-A .bot").length === answers
        && document.querySelector("#chat-status").innerText.includes("Done")
        && !document.querySelector("#chat-send").disabled""",
        arg=answers,
    )


def answer(page: Page, side: str = "A") -> str:
    return page.locator(f"#chat-pane-{side} .bot").last.inner_text().strip()


@covers("CH1", "CH4", "CH9")
def test_an_answer_streams_with_its_statistics_and_the_box_keeps_the_focus(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small)
    send(page, "count")
    lengths = set()
    for _ in range(200):
        if page.locator("#chat-pane-A .bot").count():
            lengths.add(len(answer(page)))
        if "Done" in page.inner_text("#chat-status"):
            break
        page.wait_for_timeout(20)
    assert len(lengths) >= 3
    assert answer(page).endswith("59")
    assert "59 tokens" in page.inner_text("#chat-stats-A")
    assert page.input_value(BOX) == ""
    page.wait_for_function("document.activeElement.tagName === 'TEXTAREA'")


def test_what_is_typed_during_an_answer_stays(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small)
    send(page, "count")
    page.wait_for_function("box => document.querySelector(box).value === ''", arg=BOX)
    page.type(BOX, "my next question")
    status_says(page, "Done")
    page.wait_for_selector("#chat-send:not([disabled])")
    assert page.input_value(BOX) == "my next question"


@covers("CH2")
def test_stop_ends_the_answer_and_keeps_the_text(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small)
    send(page, "count")
    page.wait_for_function("document.querySelector('#chat-stats-A').innerText.includes('tokens')")
    page.click("#chat-stop")
    page.wait_for_function("document.querySelector('#chat-stats-A').innerText.includes('stopped')")
    assert len(answer(page).split()) < 59
    assert answer(page).startswith("1 2")
    assert not answer(page).endswith("59")


@covers("CH3")
def test_regenerating_replaces_only_the_last_answer_with_a_new_seed(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small)
    for count, text in enumerate(("hello", "who"), start=1):
        send(page, text)
        answered(page, count)
    before = len(small.backend.requests)
    page.click("#chat-again")
    while len(small.backend.requests) == before:
        page.wait_for_timeout(20)
    status_says(page, "Done")
    page.wait_for_function("document.querySelectorAll('#chat-pane-A .bot').length === 2")
    again, last = small.backend.requests[-1], small.backend.requests[before - 1]
    assert [turn.content for turn in again.turns] == [turn.content for turn in last.turns]
    assert again.sampling.seed != last.sampling.seed


@covers("CH5")
def test_a_model_without_a_template_says_that_it_continues_text(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, model="base")
    send(page, "hello")
    status_says(page, "it continues your text")
    continued = small.backend.requests[-1]
    assert continued.completion


def test_a_parents_template_is_taken_only_when_it_is_chosen(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, model=small.hostile)
    page.wait_for_selector("#chat-template-A")
    send(page, "hello")
    status_says(page, "it continues your text")
    continued = small.backend.requests[-1]
    assert continued.completion
    status_says(page, "Done")
    page.click("#chat-template-A input")
    page.click("[role=option]:has-text('That of its parent sort-ft')")
    send(page, "who")
    status_says(page, "in the chat template of its parent sort-ft")
    assert not small.backend.requests[-1].completion
    status_says(page, "Done")
    page.click("#chat-model input")
    page.click("[role=option]:has-text('plain')")
    page.wait_for_selector("#chat-template-A", state="hidden")
    send(page, "hello")
    status_says(page, "Done")
    assert small.backend.requests[-1].model.template_source is None


def test_side_by_side_each_model_has_its_own_note(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small, model="base", mode="Side by side")
    page.click("#chat-other input")
    page.click(f"[role=option]:has-text('{small.hostile}')")
    page.wait_for_selector("#chat-template-B")
    page.click("#chat-template-B input")
    page.click("[role=option]:has-text('That of its parent sort-ft')")
    send(page, "hello")
    status_says(page, "No chat template for base")
    status_says(page, "in the chat template of its parent sort-ft")
    status_says(page, "Done")
    page.click("#chat-mode label:has-text('Blind vote')")
    page.wait_for_selector("#chat-template-B", state="hidden")


@covers("CH7")
def test_who_scrolls_up_is_left_there(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small)
    send(page, "long")
    scroller = "#chat-pane-A [role=log]"
    page.wait_for_function(
        f"(e => e && e.scrollHeight > e.clientHeight + 900)(document.querySelector('{scroller}'))"
    )
    page.hover(scroller)
    page.mouse.wheel(0, -5_000)
    page.wait_for_timeout(400)
    page.mouse.wheel(0, -5_000)
    top = page.evaluate(f"document.querySelector('{scroller}').scrollTop")
    page.wait_for_timeout(700)
    now = page.evaluate(f"document.querySelector('{scroller}').scrollTop")
    assert now <= top + 5
    page.click("#chat-stop")


@covers("CH8")
def test_on_a_phone_the_panes_are_tabs_and_the_hidden_one_has_a_dot(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, width=360, mode="Side by side")
    page.click("#chat-other input")
    page.click("[role=option]:has-text('plain')")
    assert page.is_visible("#chat-A")
    assert not page.is_visible("#chat-B")
    send(page, "hello")
    status_says(page, "Done")
    page.wait_for_selector(".pane-tabs [data-pane=B].chat-unread")
    page.click(".pane-tabs [data-pane=B]")
    assert page.is_visible("#chat-B")
    assert not page.is_visible("#chat-A")
    assert page.locator(".chat-unread").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.focus(".pane-tabs [data-pane=B]")
    page.keyboard.press("ArrowLeft")
    assert page.is_visible("#chat-A")


@covers("CH10")
def test_answers_bring_no_markup_of_their_own(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small)
    send(page, "evil")
    status_says(page, "Done")
    assert "<script>" in answer(page)
    assert page.locator("#chat-pane-A .bot img[src=x]").count() == 0
    assert page.evaluate("window.hacked") is None


@covers("CH6")
def test_a_model_that_does_not_fit_is_named_and_cannot_be_asked(
    small: Served, open_page: OpenPage
) -> None:
    big = small.context.chat_service.model_cache
    kept = big._budget
    try:
        big._budget = 1_000
        page = open_chat(open_page, small)
        page.click("#chat-model input")
        page.click("[role=option]:has-text('plain')")
        status_says(page, "needs 1.0 MB, 1.0 kB free")
        assert page.is_disabled("#chat-send")
    finally:
        big._budget = kept


def test_the_slider_and_its_box_scale_the_merge_and_answers_say_so(
    sliding: Served, open_page: OpenPage
) -> None:
    page = open_page(f"{sliding.url}?tab=chat")
    page.wait_for_selector("#chat-scale")
    box = "#chat-scale input[type=number]"
    assert page.input_value(box) == "1"
    send(page, "hello")
    status_says(page, "Done")
    assert sliding.backend.requests[-1].model.name == "sliding"
    assert answer(page).startswith("sliding, the published merge")
    page.fill(box, "0.4")
    page.press(box, "Tab")
    status_says(page, "The next message merges sliding again at scale 0.4")
    send(page, "who")
    status_says(page, "Done")
    assert sliding.backend.requests[-1].model.name == "sliding at scale 0.4"
    assert answer(page).startswith("sliding at scale 0.4, made here and not evaluated")
    track = page.locator("#chat-scale input[type=range]").bounding_box()
    assert track is not None
    page.mouse.click(track["x"] + 0.75 * track["width"], track["y"] + track["height"] / 2)
    status_says(page, "merges sliding again at scale 1.")
    page.click("#chat-published")
    status_says(page, "The next message goes to sliding, the published merge.")
    assert page.input_value(box) == "1"
    page.click("#chat-mode label:has-text('Blind vote')")
    page.wait_for_selector("#chat-scale", state="hidden")


def test_opening_the_settings_leaves_the_seed_random(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small)
    page.click("#chat-settings button >> nth=0")
    seed = "#chat-seed textarea, #chat-seed input"
    page.wait_for_selector(seed)
    assert page.input_value(seed) == ""

    def seed_of(text: str) -> int:
        answers = page.locator("#chat-pane-A .bot").count()
        send(page, text)
        answered(page, answers + 1)
        return small.backend.requests[-1].sampling.seed

    assert seed_of("hello") != seed_of("who")
    page.fill(seed, "7")
    assert seed_of("hello") == 7
    page.fill(seed, "seven")
    send(page, "hello")
    status_says(page, "The seed must be a whole number")


def test_side_by_side_begins_with_the_best_parent(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small, mode="Side by side")
    row = small.context.live.current.find("good")
    assert row is not None
    assert row.judgement is not None
    page.wait_for_function(
        "name => document.querySelector('#chat-other input')?.value === name",
        arg=row.judgement.best_parent_name,
    )
    small.backend.requests.clear()
    send(page, "hello")
    status_says(page, "Done")
    asked = {request.model.name for request in small.backend.requests}
    assert asked == {"good", row.judgement.best_parent_name}


def test_a_conversation_that_the_server_lost_is_said_to_be_lost(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small)
    send(page, "hello")
    status_says(page, "Done")
    page.wait_for_selector("#chat-send:not([disabled])")
    small.forget_sessions()
    send(page, "who")
    status_says(page, "The Space was restarted and no longer has the earlier conversation")
    assert [turn.content for turn in small.backend.requests[-1].turns] == ["who"]


def test_an_unknown_model_in_a_chat_address_is_named(small: Served, open_page: OpenPage) -> None:
    page = open_page(f"{small.url}?tab=chat&model=goood")
    page.wait_for_selector("#chat-status p")
    status_says(page, "There is no model “goood” on this board; most like it: good")
