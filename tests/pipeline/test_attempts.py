"""What is broken stops the run, stays on the board as failed, and counts as an attempt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bot.check import Check
from bot.errors import CheckFailedError, InterruptedRunError, NonFiniteError, RecordError
from bot.evaluation.suite_catalog import Suite
from bot.events import Event, silent
from bot.pipeline.json_formats import CHECKS, write_document
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe_lock import LOCK_FILE, read_lock
from leaderboard.record import Record
from leaderboard.record_store import FolderStore
from leaderboard.verdict import judge, sentence
from tests.evaluation.conftest import load_mini
from tests.pipeline.conftest import travel, write_models


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return load_mini(tmp_path / "mini")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def records(place: Workspace) -> tuple[Record, ...]:
    return FolderStore(place.board).load().records


def leave_checks(place: Workspace, *, passed: bool) -> None:
    """What the gate leaves about the one merge there is."""
    (merge,) = place.root.glob("merges/*")
    result = read_lock(merge / LOCK_FILE).result
    assert result is not None
    row = Check(name="loads", hard=True, passed=passed, detail="" if passed else "no such layer")
    content = {"model_digest": result.model_digest, "checks": [row.model_dump(mode="json")]}
    write_document(merge / "checks.json", CHECKS, content)


def stop_before_the_check(event: Event) -> None:
    if event[:2] == ("check", "start"):
        raise InterruptedRunError("stopped by the test")


@pytest.fixture
def refused(tmp_path: Path, place: Workspace, suite: Suite) -> Path:
    """A recipe whose merge the gate found broken."""
    recipe = write_models(tmp_path)
    with pytest.raises(InterruptedRunError):
        travel(recipe, place, suite, stop_before_the_check)
    assert records(place) == ()
    leave_checks(place, passed=False)
    with pytest.raises(CheckFailedError, match="loads: no such layer"):
        travel(recipe, place, suite, silent)
    return recipe


def test_a_failed_check_is_recorded(refused: Path, place: Workspace, suite: Suite) -> None:
    (failed,) = records(place)
    assert failed.status == "failed"
    assert failed.failure is not None
    assert failed.failure.stage == "check"
    assert failed.model_digest is None
    assert failed.suites == ()
    assert "failed in stage check" in sentence(judge(failed), failed.name)
    with pytest.raises(CheckFailedError):
        travel(refused, place, suite, silent)
    assert records(place) == (failed,)


def test_a_failure_is_never_rewritten_in_silence(
    refused: Path, place: Workspace, suite: Suite
) -> None:
    before = records(place)
    leave_checks(place, passed=True)
    with pytest.raises(RecordError, match="passes its checks now") as said:
        travel(refused, place, suite, silent)
    assert f"{before[0].run_key}.json away" in (said.value.hint or "")
    assert records(place) == before


@pytest.mark.parametrize("rows", ['[{"name": 1}]', "null", "{}"])
def test_a_torn_report_of_the_gate_counts_for_nothing(
    rows: str, refused: Path, place: Workspace, suite: Suite
) -> None:
    (kept,) = place.root.glob("merges/*/checks.json")
    digest = json.loads(kept.read_text())["model_digest"]
    kept.write_text(f'{{"model_digest": "{digest}", "checks": {rows}}}')
    with pytest.raises(InterruptedRunError):  # the gate is at work again
        travel(refused, place, suite, stop_before_the_check)


def test_attempts_over_the_same_parents_are_counted(
    tmp_path: Path, place: Workspace, suite: Suite
) -> None:
    recipe = write_models(tmp_path)
    weights = tmp_path / "two/model.safetensors"
    broken = load_file(weights)
    broken["model.norm.weight"] = np.full_like(broken["model.norm.weight"], np.nan)
    save_file(broken, weights, metadata={"format": "pt"})
    for weight in ("0.25", "0.3", "0.3", "0.35"):
        text = recipe.read_text().replace("0.25", weight)
        (tmp_path / f"recipe-{weight}.yaml").write_text(text)
        with pytest.raises(NonFiniteError, match=r"model\.norm\.weight"):
            travel(tmp_path / f"recipe-{weight}.yaml", place, suite, silent)
    found = records(place)
    assert {one.failure.stage for one in found if one.failure} == {"merge"}
    assert [one.attempts.count for one in found if one.attempts] == [3, 3, 3]
    written = [json.loads(path.read_text()) for path in place.root.glob("board/records/*.json")]
    assert sorted(one["attempts"]["count"] for one in written) == [1, 2, 3]
