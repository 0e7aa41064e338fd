"""Blind votes in a real browser, with a backend whose answers are known."""

from __future__ import annotations

import pytest

from tests.chromium import OpenPage
from tests.space.browser.test_chat import BOX, open_chat, send, status_says
from tests.space.covering import covers
from tests.space.serving import Served

pytestmark = pytest.mark.browser

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


@covers("BV1", "BV8")
def test_a_blind_round_by_keyboard_tells_nothing_before_the_vote(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, mode="Blind vote", spy=SPY)
    # The lists of models are sent once more when the mode changes, before this note.
    page.wait_for_selector("text=Your votes will be kept but not counted")
    page.wait_for_timeout(300)
    page.evaluate("window.streamed = []")
    small.backend.requests.clear()
    page.focus(BOX)
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    page.wait_for_selector("#vote-left")
    status_says(page, "Done")
    page.wait_for_timeout(300)
    pair = {request.model.name for request in small.backend.requests}
    assert len(pair) == 2
    shown = page.inner_html("#chat-panes") + page.inner_html("#chat-status")
    streamed = "".join(page.evaluate("window.streamed"))
    assert "A first sentence" in streamed
    keys = {request.model.key for request in small.backend.requests}
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
    status_says(page, "Done")
    send(page, "hello")
    status_says(page, "Vote for the answers above first")
    page.click("#vote-skip")
    page.wait_for_function("document.querySelector('#blind-reveal').innerText.includes('Skipped')")
    page.click("#vote-delete")
    page.wait_for_function("document.querySelector('#blind-reveal').innerText.includes('vote')")


def test_whether_a_vote_counts_is_said_before_it_and_a_reveal_ends_with_its_round(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, mode="Blind vote")
    page.wait_for_selector("#blind-eligibility p")
    assert "will be kept but not counted: not signed in" in page.inner_text("#blind-eligibility")
    send(page, "hello")
    page.wait_for_selector("#vote-left")
    status_says(page, "Done")
    page.click("#vote-left")
    page.wait_for_selector("#blind-reveal h2")
    send(page, "count")
    page.wait_for_function("document.querySelector('#blind-reveal').innerText === ''")
    status_says(page, "Done")
    page.click("#vote-skip")


def test_a_failed_round_has_no_buttons_and_does_not_hold_up_the_next(
    small: Served, open_page: OpenPage
) -> None:
    page = open_chat(open_page, small, mode="Blind vote")
    send(page, "crash")
    status_says(page, "this round cannot be voted on")
    assert not page.is_visible("#vote-left")
    send(page, "hello")
    page.wait_for_selector("#vote-left")
    status_says(page, "Done")
    page.click("#vote-skip")
