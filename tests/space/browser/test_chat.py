"""The chat tab in a real browser, with an engine whose answers are known."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page

from leaderboard.render.board_json import model_id
from tests.chromium import OpenPage
from tests.present import present
from tests.space.covering import covers
from tests.space.serving import Served

pytestmark = pytest.mark.browser

BOX = "#chat-message textarea"


SPY = """
  window.streamed = [];
  const keep = (text) => window.streamed.push(text);
  const Plain = window.EventSource;
  window.EventSource = class extends Plain {
    constructor(...args) { super(...args); this.addEventListener("message", (e) => keep(e.data)); }
  };
  const plain = window.fetch;
  window.fetch = async (...args) => {
    const answered = await plain(...args);
    const reader = answered.clone().body?.getReader(), decoder = new TextDecoder();
    const read = () => reader.read().then(({ done, value }) => {
      if (!done) { keep(decoder.decode(value, { stream: true })); return read(); }
    }).catch(() => {});
    if (reader) read();
    return answered;
  };
"""


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


def told(page: Page, words: str) -> None:
    page.wait_for_function(
        "words => document.querySelector('#chat-status').innerText.includes(words)", arg=words
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
    told(page, "Done")
    page.wait_for_selector("#chat-send:not([disabled])")
    assert page.input_value(BOX) == "my next question"


@covers("CH2")
def test_stop_ends_within_a_second_and_keeps_the_text(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small)
    send(page, "count")
    page.wait_for_function("document.querySelector('#chat-stats-A').innerText.includes('tokens')")
    page.click("#chat-stop")
    began = time.monotonic()
    page.wait_for_function("document.querySelector('#chat-stats-A').innerText.includes('stopped')")
    assert time.monotonic() - began < 3  # a second by the engine; the rest is this machine's
    assert answer(page).startswith("1 2")
    assert not answer(page).endswith("59")


@covers("CH3")
def test_regenerating_replaces_only_the_last_answer_with_a_new_seed(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small)
    for text in ("hello", "who"):
        send(page, text)
        page.wait_for_function("box => document.querySelector(box).value === ''", arg=BOX)
        told(page, "Done")
    before = len(small.engine.requests)
    page.click("#chat-again")
    while len(small.engine.requests) == before:
        page.wait_for_timeout(20)
    told(page, "Done")
    page.wait_for_function("document.querySelectorAll('#chat-pane-A .bot').length === 2")
    again, last = small.engine.requests[-1], small.engine.requests[before - 1]
    assert [turn.content for turn in again.turns] == [turn.content for turn in last.turns]
    assert again.sampling.seed != last.sampling.seed


@covers("CH5")
def test_a_model_without_a_template_says_that_it_continues_text(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, model="base")
    send(page, "hello")
    told(page, "it continues your text")
    continued = small.engine.requests[-1]
    assert continued.completion


def test_a_parents_template_is_taken_only_when_it_is_chosen(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, model=small.hostile)
    page.wait_for_selector("#chat-lender-A")
    send(page, "hello")
    told(page, "it continues your text")
    continued = small.engine.requests[-1]
    assert continued.completion
    told(page, "Done")
    page.click("#chat-lender-A input")
    page.click("[role=option]:has-text('That of its parent sort-ft')")
    send(page, "who")
    told(page, "in the chat template of its parent sort-ft")
    assert not small.engine.requests[-1].completion
    told(page, "Done")
    page.click("#chat-model input")
    page.click("[role=option]:has-text('plain')")
    page.wait_for_selector("#chat-lender-A", state="hidden")
    send(page, "hello")
    told(page, "Done")
    assert small.engine.requests[-1].model.lender is None


def test_side_by_side_each_model_is_told_of_by_name(small: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, small, model="base", mode="Side by side")
    page.click("#chat-other input")
    page.click(f"[role=option]:has-text('{small.hostile}')")
    page.wait_for_selector("#chat-lender-B")
    page.click("#chat-lender-B input")
    page.click("[role=option]:has-text('That of its parent sort-ft')")
    send(page, "hello")
    told(page, "No chat template for base")
    told(page, "in the chat template of its parent sort-ft")
    told(page, "Done")
    page.click("#chat-mode label:has-text('Blind vote')")
    page.wait_for_selector("#chat-lender-B", state="hidden")


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
    told(page, "Done")
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
    told(page, "Done")
    assert "<script>" in answer(page)
    assert page.locator("#chat-pane-A .bot img[src=x]").count() == 0
    assert page.evaluate("window.hacked") is None


@covers("CH6")
def test_a_model_that_does_not_fit_is_named_and_cannot_be_asked(
    small: Served, open_page: OpenPage
) -> None:
    big = small.context.desk.residents
    kept = big._budget
    try:
        big._budget = 1_000
        page = open_chat(open_page, small)
        page.click("#chat-model input")
        page.click("[role=option]:has-text('plain')")
        told(page, "needs 1.0 MB, 1.0 kB free")
        assert page.is_disabled("#chat-send")
    finally:
        big._budget = kept


@covers("BV1", "BV8")
def test_a_blind_round_by_keyboard_tells_nothing_before_the_vote(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, mode="Blind vote", spy=SPY)
    page.evaluate("window.streamed = []")
    small.engine.requests.clear()
    page.focus(BOX)
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    page.wait_for_selector("#vote-left")
    told(page, "Done")
    page.wait_for_timeout(300)
    pair = {request.model.name for request in small.engine.requests}
    assert len(pair) == 2
    shown = page.inner_html("#chat-panes") + page.inner_html("#chat-status")
    streamed = "".join(page.evaluate("window.streamed"))
    assert "A first sentence" in streamed
    keys = {request.model.key for request in small.engine.requests}
    for secret in pair | keys | {"tok/s"}:
        assert secret not in shown
        assert secret not in streamed
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("1")
    page.wait_for_selector("#blind-reveal h2")
    page.wait_for_function("document.activeElement.tagName === 'H2'")
    revealed = page.inner_text("#blind-reveal")
    assert all(name in revealed for name in pair)
    assert "not counted: not signed in" in revealed
    assert not page.is_visible("#vote-left")


@covers("BV3")
def test_a_round_must_be_voted_on_or_skipped_before_the_next(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, mode="Blind vote")
    send(page, "hello")
    page.wait_for_selector("#vote-left")
    told(page, "Done")
    send(page, "hello")
    told(page, "Vote for the answers above first")
    page.click("#vote-skip")
    page.wait_for_function("document.querySelector('#blind-reveal').innerText.includes('Skipped')")
    page.click("#vote-forget")
    page.wait_for_function("document.querySelector('#blind-reveal').innerText.includes('vote')")


def test_the_slider_makes_the_merge_again_and_blind_rounds_hide_it(
    sliding: Served, open_page: OpenPage
) -> None:
    page = open_page(f"{sliding.url}?tab=chat")
    page.wait_for_selector("#chat-weight")
    track = present(page.locator("#chat-weight input[type=range]").bounding_box())
    page.mouse.click(track["x"] + 0.9 * track["width"], track["y"] + track["height"] / 2)
    told(page, "the next message goes to sliding at 1.")
    send(page, "hello")
    told(page, "Done")
    assert sliding.engine.requests[-1].model.name.startswith("sliding at 1.")
    page.click("#chat-mode label:has-text('Blind vote')")
    page.wait_for_selector("#chat-weight", state="hidden")
