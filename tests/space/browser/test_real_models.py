"""The whole way once with real models: a parent and a fine-tune of the skills family answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leaderboard.board import Row
from space_app.build_app import Space
from space_app.chat.transformers_backend import TransformersBackend
from space_app.space_settings import Weights
from tests.chromium import OpenPage
from tests.space.boards import SKILLS, context
from tests.space.browser.test_chat import BOX, answer, open_chat, send
from tests.space.serving import Served, served

pytestmark = [pytest.mark.browser, pytest.mark.heavy]

WEIGHTS = {"good": "skills-sort", "base": "skills-base"}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    def weights(row: Row) -> Weights | None:
        name = WEIGHTS.get(row.name)
        return Weights(str(SKILLS / "models" / name)) if name else None

    folder = tmp_path_factory.mktemp("real")
    backends = [TransformersBackend("cpu")]
    yield from served(Space(context(folder, backends=backends, weights=weights)))


def test_two_real_models_answer_side_by_side(real: Served, open_page: OpenPage) -> None:
    page = open_chat(open_page, real, mode="Side by side")
    page.click("#chat-other input")
    page.click("[role=option]:has-text('base')")
    page.click("#chat-settings button >> nth=0")
    heat = "#chat-heat input[type=number]"
    page.wait_for_selector(heat)
    page.fill(heat, "0")
    page.press(heat, "Tab")
    send(page, "sort cabd=")
    page.wait_for_function(f"document.querySelector('{BOX}').value === ''")
    page.wait_for_function("document.querySelector('#chat-status').innerText.includes('Done')")
    assert answer(page, "A") == "abcd"
    assert answer(page, "B")
    assert "it continues your text" in page.inner_text("#chat-status")
    for side in "AB":
        assert "tok/s" in page.inner_text(f"#chat-stats-{side}")
