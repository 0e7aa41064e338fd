"""The typed endpoints over HTTP: right arguments, and what wrong ones are answered with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from leaderboard.render.board_json import model_id
from space_app.build_app import Space
from space_app.live_board import LiveBoard
from space_app.model_comparison import compare
from space_app.tabs.model_tab import model_choices, show_model
from tests.leaderboard.samples import record_of
from tests.space.boards import MemoryStore, context, records, samples
from tests.space.serving import Served, served


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    twin = record_of("good", (0.5, 0.5, 0.5))
    model = twin.model.model_copy(update={"digest": "digest-twin"}) if twin.model else None
    other = twin.model_copy(
        update={"run_key": "run-twin", "merge_key": "merge-twin", "model_digest": "digest-twin",
                "model": model}
    )  # fmt: skip
    store = MemoryStore([*records(), other])
    yield from served(Space(context(tmp_path_factory.mktemp("api"), store=store)))


def call(space: Served, endpoint: str, **arguments: object) -> tuple[str, Any]:
    """The last event of a call and its data."""
    with httpx.Client(timeout=60) as client:
        answer = client.post(f"{space.url}gradio_api/call/v2/{endpoint}", json=arguments)
        if answer.status_code != 200:
            return "refused", answer.text
        stream = client.get(f"{space.url}gradio_api/call/{endpoint}/{answer.json()['event_id']}")
    *_, event = stream.text.strip().split("\n\n")
    name, data = event.split("\n", 1)
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_the_best_models_come_with_their_ids(space: Served) -> None:
    event, (rows,) = call(space, "top_models", limit=2, kind="merge")
    assert event == "complete"
    assert [row["kind"] for row in rows] == ["merge", "merge"]
    assert rows[0]["id"] == model_id(rows[0]["model_key"])


@pytest.mark.parametrize(
    ("endpoint", "arguments", "says"),
    [
        ("top_models", {"limit": "3"}, "give a whole number from 1 to 500"),
        ("top_models", {"limit": None}, "limit is null; give a whole number from 1 to 500"),
        ("top_models", {"limit": 0}, "give a whole number from 1 to 500"),
        ("top_models", {"limit": 2.5}, "give a whole number"),
        ("top_models", {"limit": True}, "give a whole number"),
        ("top_models", {"limit": 10**30}, "give a whole number from 1 to 500"),
        ("top_models", {"kind": "merges"}, "give one of any, merge, base, finetune"),
        ("top_models", {"kind": ["merge"]}, "give one of any, merge, base, finetune"),
        ("model", {"name": 3}, "give a model's name or id as text"),
        ("model", {"name": None}, "give a model's name or id as text"),
        ("model", {"name": "godo"}, "most like it: good"),
        ("model", {"name": "x" * 1_000_000}, "there is no model"),
        ("compare", {"models": "good"}, "give a list of two to 4"),
        ("compare", {"models": ["good", 3]}, "give a list of two to 4"),
        ("compare", {"models": None}, "give a list of two to 4"),
        ("compare", {"models": ["plain"] * 10_000}, "two to 4 models"),
        ("compare", {"models": ["good", "plain"]}, "2 models are called good"),
    ],
)
def test_a_wrong_argument_is_answered_with_what_is_right(
    space: Served, endpoint: str, arguments: dict[str, object], says: str
) -> None:
    event, data = call(space, endpoint, **arguments)
    assert event in {"error", "refused"}
    assert says in json.dumps(data)
    assert len(json.dumps(data)) < 2_000


def test_two_models_of_one_name_are_told_apart_everywhere(space: Served) -> None:
    live: LiveBoard = space.context.live
    snapshot = live.current
    twins = snapshot.named("good")
    assert len(twins) == 2
    labels = {row.name for row in twins}
    assert len(labels) == 2
    assert all(label.startswith("good (") for label in labels)
    assert {row.name for row in snapshot.all_rows} >= labels
    assert labels <= {label for label, _ in model_choices(space.context)}
    page = show_model(space.context, "good")
    assert "2 models are called “good”" in page
    for row in twins:
        assert f"?model={model_id(row.key)}" in page
        assert row.name in show_model(space.context, model_id(row.key))
    refusal = compare(snapshot, samples, ["good", "plain"]).refusal
    assert refusal is not None
    assert all(model_id(row.key) in refusal for row in twins)
    event, data = call(space, "model", name="good")
    assert event == "error"
    assert all(model_id(row.key) in json.dumps(data) for row in twins)
    event, (found,) = call(space, "model", name=model_id(twins[0].key))
    assert found["name"] == twins[0].name


def test_the_pages_tags_are_the_boards_own(space: Served) -> None:
    page = httpx.get(space.url, timeout=60)
    tags = re.findall(r"<meta[^>]*(?:og:|twitter:|description)[^>]*>", page.text, re.DOTALL)
    assert len(tags) == 7
    assert not any("Gradio" in tag or "try out the app" in tag for tag in tags)
    assert '<meta property="og:title" content="Merge leaderboard">' in tags
    assert "<title>Merge leaderboard</title>" in page.text
    assert "mergebot_visitor" in page.headers["set-cookie"]
    assert page.text.count("data-id=") >= 5
