"""A parent's chat template for a model that has none: offered, labelled, never taken by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaderboard.board import Row
from leaderboard.record import Record
from leaderboard.render.board_json import model_id
from space_app.chat.chat_backend import ChatModel
from space_app.chat.chat_models import chat_model, template_sources
from space_app.chat.chat_service import ChatService
from space_app.chat.model_cache import ModelCache
from space_app.chat.rate_limits import Limits
from space_app.live_board import LiveBoard
from space_app.space_settings import Weights
from space_app.tabs.template_picker import template_picker, with_template_of
from tests.leaderboard.samples import MODEL, record_of
from tests.present import present
from tests.space.backends import ScriptedBackend
from tests.space.boards import MemoryStore, context
from tests.space.test_chat_rules import model, question

BARE = MODEL.model_copy(update={"chat_template": None})


def weights(row: Row) -> Weights | None:
    return None if row.name == "lost" else Weights(f"org/{row.name}", "c" * 40)


@pytest.fixture
def bare() -> Record:
    """A merge without a template, of a base without one and of two parents that have one."""
    record = record_of("bare", model=BARE)
    lost = record.parents[1].model_copy(update={"key": "gone", "name": "lost", "ref": "x/lost"})
    return record.model_copy(update={"parents": (*record.parents, lost)})


def test_only_parents_with_a_template_and_weights_lend_theirs(bare: Record) -> None:
    snapshot = LiveBoard(MemoryStore([bare, record_of("own")])).current
    found = template_sources(present(snapshot.find("bare")), snapshot, weights)
    assert [(one.name, one.location) for one in found] == [("sort-ft", "org/sort-ft")]
    assert template_sources(present(snapshot.find("own")), snapshot, weights) == []
    assert template_sources(present(snapshot.find("base")), snapshot, weights) == []


def test_it_is_a_choice_and_completion_stays_the_default(bare: Record, tmp_path: Path) -> None:
    backend = ScriptedBackend(templates=set())
    here = context(tmp_path, store=MemoryStore([bare]), backends=[backend])
    row = here.live.current.find("bare")
    picker = template_picker(here, model_id(present(row).key), "A")
    assert picker.visible
    assert picker.value == ""
    assert picker.choices == [
        ("None: it continues your text", ""),
        ("That of its parent sort-ft", model_id("sort-ft")),
    ]
    assert "bare has none" in picker.label
    plain = chat_model(present(row), here.settings.weights)
    assert with_template_of(here, present(plain), None).template_source is None
    assert with_template_of(here, present(plain), "").template_source is None
    assert (
        present(with_template_of(here, present(plain), model_id("sort-ft")).template_source).name
        == "sort-ft"
    )


def test_nobody_but_a_parent_can_be_made_to_lend(bare: Record, tmp_path: Path) -> None:
    here = context(tmp_path, store=MemoryStore([bare, record_of("own")]),
                   backends=[ScriptedBackend()])  # fmt: skip
    snapshot = here.live.current
    plain = chat_model(present(snapshot.find("bare")), here.settings.weights)
    for stranger in (model_id("digest-own"), model_id("base"), "../../etc", "sort-ft"):
        assert with_template_of(here, present(plain), stranger).template_source is None
    again = ChatModel(
        key=f"{present(plain).key}@0.3", name="bare at scale 0.3", location="made", scale=0.3
    )
    source = present(with_template_of(here, again, model_id("sort-ft")).template_source)
    assert source.name == "sort-ft"


def test_a_server_that_writes_templates_itself_gives_no_choice(
    bare: Record, tmp_path: Path
) -> None:
    class Server(ScriptedBackend):
        accepts_templates = False

    here = context(tmp_path, store=MemoryStore([bare]), backends=[Server()])
    key = model_id(present(here.live.current.find("bare")).key)
    assert not template_picker(here, key, "A").visible


def test_notes_are_of_each_model_and_a_borrowed_template_is_named() -> None:
    backend = ScriptedBackend(templates={"a"})
    chat_service = ChatService(ModelCache((backend,), 100), Limits(per_minute=99))
    borrowing = ChatModel(key="b", name="b", location="org/b", template_source=model("a"))
    for asked, notes in (
        ((model("a"), model("c")), ("", "No chat template for c: it continues your text.")),
        ((model("a"), borrowing), ("", "b answers in the chat template of its parent a.")),
    ):
        *_, last = chat_service.ask("s", question("hi", *asked))
        assert last.notes == notes
    completions = {one.model.name: one.completion for one in backend.requests}
    assert completions == {"a": False, "c": True, "b": False}


def test_a_template_that_cannot_be_read_is_a_sentence() -> None:
    class Unreadable(ScriptedBackend):
        def template(self, model: ChatModel) -> None:
            raise ValueError("the chat template of sort-ft cannot be read: no such repository")

    chat_service = ChatService(ModelCache((Unreadable(),), 100), Limits(per_minute=99))
    *_, last = chat_service.ask("s", question())
    assert last.status == (
        "Failed: the chat template of sort-ft cannot be read: no such repository"
    )
