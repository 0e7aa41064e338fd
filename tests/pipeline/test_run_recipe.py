"""The whole journey of one recipe over tiny models, stopped in every stage and gone on with."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bot.cli.compare import comparison_rows
from bot.errors import CheckpointError, RecordError
from bot.evaluation.evaluate_models import Model
from bot.evaluation.score_files import read_evaluation
from bot.events import Event, silent
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.find_record import find_record
from bot.pipeline.verify_merge import Answer, verify
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe_lock import LOCK_FILE, read_lock
from leaderboard.build_board import build_board
from leaderboard.record import SCHEMA_FILE, dump_record
from leaderboard.record_store import FolderStore
from leaderboard.render.terminal_table import board_text
from leaderboard.verdict import judge, sentence
from tests.cli.commands import run as command_line
from tests.pipeline.conftest import STOPS, Journey, travel

pytestmark = pytest.mark.heavy


def test_nothing_is_done_twice_however_often_it_is_stopped(journey: Journey) -> None:
    assert journey.stopped == len(STOPS)
    assert journey.result.fresh
    done = Counter((event.stage, event.item) for event in journey.seen if event.kind == "note")
    for model in ("half-and-quarter", "base", "one", "two"):
        assert done["evaluate", f"{model} is evaluated"] == 1
    assert len([event for event in journey.seen if event[:2] == ("check", "start")]) == 1


def test_an_interrupted_run_ends_in_the_same_record_and_bytes(
    journey: Journey, tmp_path: Path
) -> None:
    place = Workspace(tmp_path / "straight")
    straight = travel(journey.recipe, place, journey.suite, silent)
    assert weights_of(straight.model) == weights_of(journey.result.model)
    assert plain(straight.record) == plain(journey.result.record)


def weights_of(model: Path) -> bytes:
    return (model / "model.safetensors").read_bytes()


def plain(record: object) -> dict[str, object]:
    """A record without what differs in another workspace: time, memory, the log of attempts."""
    content: dict[str, Any] = json.loads(dump_record(record))  # type: ignore[arg-type]  # is one
    return content | {"engine": None, "attempts": content["attempts"] | {"log": None}}


def test_the_record_fits_the_committed_schema(journey: Journey) -> None:
    (path,) = FolderStore(journey.workspace.board).records.iterdir()
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text("utf-8")))


def test_every_parent_is_compared_under_one_setting(journey: Journey) -> None:
    record = journey.result.record
    (suite,) = record.suites
    digests = {parent.name: parent.key for parent in record.parents}
    assert list(digests) == ["one", "two", "base"]
    assert {parent.name: parent.role for parent in record.parents}["base"] == "base"
    assert [found.parent for found in suite.comparisons] == list(digests.values())
    assert set(suite.headline) == {record.model_digest, *digests.values()}
    assert suite.settings.seeds
    kept = [read_evaluation(path) for path in journey.workspace.evaluations.glob("?" * 64)]
    assert {found.model_digest for found in kept if found} == set(suite.headline)
    assert len({str((found.settings, found.versions)) for found in kept if found}) == 1


def test_the_numbers_are_those_of_the_items(journey: Journey) -> None:
    """The record's scores and differences, from the kept items by plain means."""
    record = journey.result.record
    (suite,) = record.suites
    kept = [read_evaluation(path) for path in journey.workspace.evaluations.glob("?" * 64)]
    items = {found.model_digest: found.task_scores for found in kept if found}
    for task in suite.tasks:
        for digest, score in task.scores.items():
            values = items[digest][task.task].scores.tolist()
            assert task.n == len(values) == 12
            assert score.value == pytest.approx(sum(values) / len(values), abs=1e-12)
    for found in suite.comparisons:
        heads = suite.headline[record.model_digest or ""], suite.headline[found.parent]
        assert found.overall.delta == pytest.approx(heads[0].value - heads[1].value, abs=1e-12)
        assert found.overall.low <= found.overall.delta <= found.overall.high


def test_card_board_and_verdict_tell_the_same(journey: Journey) -> None:
    record = journey.result.record
    said = sentence(judge(record), record.name)
    card = journey.result.card.read_text("utf-8").replace("\\", "").replace("&lt;", "<")
    assert said in card
    board = board_text(build_board([record]))
    assert judge(record).verdict.value in board
    (suite,) = record.suites
    names = {parent.key: parent.name for parent in record.parents}
    own = Model(name=record.name, path=journey.result.model, digest=record.model_digest or "")
    for row in comparison_rows(suite, own, names):
        if row[0] == "mean":
            assert row[1] in card
            assert row[1] in board
            assert row[3] in card


def test_the_lock_pins_parents_by_content_and_verifies(journey: Journey) -> None:
    lock = read_lock(journey.result.model / LOCK_FILE)
    record = journey.result.record
    assert lock.merge_key == record.merge_key
    assert lock.result is not None
    assert lock.result.model_digest == record.model_digest
    assert [parent.digest for parent in lock.parents] == [one.key for one in record.parents]
    assert all("model.safetensors" in parent.files for parent in lock.parents)
    found = verify(journey.result.model, options=EngineOptions(), report=silent)
    assert found.answer is Answer.IDENTICAL


def test_the_cards_own_command_works_beside_the_card(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(journey.result.card.parent)
    text = journey.result.card.read_text("utf-8")
    command = next(line for line in text.splitlines() if line.startswith("mergebot verify"))
    done = command_line(*command.split()[1:])
    answer, *facts = done.out.splitlines()
    assert (done.code, answer) == (0, "identical")
    assert any("  proved: " in fact for fact in facts)
    assert "`--parents`" in text


def test_the_merge_stands_in_its_tree_with_its_own_license(journey: Journey) -> None:
    record = journey.result.record
    assert record.license is not None
    node = next(one for one in record.lineage.nodes if one.id == record.model_digest)
    assert node.license == record.license.id == "mit"


def test_a_finished_run_is_shown_again_and_does_nothing(journey: Journey) -> None:
    events: list[Event] = []
    again = journey.again(events.append)
    assert not again.fresh
    assert again.record == journey.result.record
    assert {event.stage for event in events} <= {"resolve", "merge"}


def test_torn_files_of_a_finished_run_are_made_anew(journey: Journey) -> None:
    place = journey.workspace.merge(journey.result.record.merge_key)
    for name in ("merge.json", "plan.json", "recipe.lock.json"):
        content = json.loads((place / name).read_text())
        (place / name).write_text(json.dumps({key: {"a": [1]} for key in content} | kept(content)))
    again = journey.again(silent)
    assert again.record == journey.result.record
    assert verify(again.model, options=EngineOptions(), report=silent).answer is Answer.IDENTICAL


def kept(content: dict[str, object]) -> dict[str, object]:
    return {key: content[key] for key in ("model_digest",) if key in content}


def test_a_broken_record_is_never_overwritten(journey: Journey) -> None:
    (path,) = FolderStore(journey.workspace.board).records.glob("*.json")
    whole = path.read_text()
    path.write_text(whole[:1000])
    try:
        with pytest.raises(RecordError) as said:
            journey.again(silent)
        assert f"move {path} away" in (said.value.hint or "")
        with pytest.raises(RecordError, match="cannot be read"):
            find_record(journey.workspace, journey.result.record.run_key)
    finally:
        path.write_text(whole)


def test_files_that_the_merge_did_not_make_are_never_scored(journey: Journey) -> None:
    config = journey.result.model / "config.json"
    whole = config.read_bytes()
    config.write_bytes(whole.replace(b"1e-06", b"1e-05"))
    try:
        with pytest.raises(CheckpointError, match="changed since"):
            journey.again(silent)
    finally:
        config.write_bytes(whole)
