"""Every distinct merge over the same parents counts once, in a sweep or alone, whatever it gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bot.errors import CheckFailedError, InterruptedRunError, NonFiniteError
from bot.evaluation.suite_catalog import SEARCH_PATH, Suite, load_suite_file
from bot.events import Event, Report, silent
from bot.pipeline.run_recipe import RunOptions
from bot.pipeline.run_sweep import SweepResult, run_sweep
from bot.pipeline.workspace import Workspace
from bot.recipe.sweep import load_sweep
from leaderboard.record import Attempts, Record
from leaderboard.record_store import FolderStore
from tests.evaluation.conftest import write_suite
from tests.evaluation.short_skills import short_skills
from tests.pipeline.conftest import ENGINE, NOW, travel, write_models
from tests.pipeline.test_attempts import leave_checks


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    folder = tmp_path / "mini"
    file = write_suite(folder, search_suite="skills-search")
    return load_suite_file(file, search=[folder, short_skills(folder), *SEARCH_PATH])


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    write_models(tmp_path)
    return Workspace(tmp_path / "workspace")


def recipe(place: Workspace, weight: str) -> Path:
    folder = place.root.parent
    text = (folder / "recipe.yaml").read_text().replace("0.25", weight)
    path = folder / "tried.yaml"
    path.write_text(text.replace("float32", "float16"))
    return path


def sweep(place: Workspace, suite: Suite, values: str, report: Report = silent) -> SweepResult:
    options = RunOptions(suites=(suite,), engine=ENGINE, clock=lambda: NOW)
    variants = load_sweep(recipe(place, f"{{sweep: [{values}]}}"))
    return run_sweep(variants, workspace=place, options=options, report=report)


def attempts(record: Record) -> Attempts:
    assert record.attempts is not None
    return record.attempts


def only_record(place: Workspace) -> Record:
    (record,) = FolderStore(place.board).load().records
    return record


def trials(record: Record) -> int:
    told = attempts(record).sweep
    assert told is not None
    return told.trials


@pytest.mark.heavy
def test_a_merge_counts_once_however_often_it_is_tried(place: Workspace, suite: Suite) -> None:
    events: list[Event] = []
    swept = sweep(place, suite, "1.0e+9, 0.25, 0.2501", events.append)
    first = swept.run
    assert [trial.score is None for trial in swept.trials] == [True, False, False]
    assert swept.chosen == swept.trials[1].label  # so near that the first listed wins
    notes = [event.item for event in events if event[:2] == ("sweep", "note")]
    assert notes[0].startswith(f"{swept.trials[0].label}: the merge of tensor")
    assert attempts(first.record).count == trials(first.record) == 3

    second = sweep(place, suite, "0.25, 0.2502, 0.2501, 2.0e+9").run
    assert second.record.run_key == first.record.run_key
    assert not second.fresh
    assert attempts(second.record).count == 5
    assert trials(second.record) == 4
    assert attempts(only_record(place)).count == 5
    assert "chosen among 4" in second.card.read_text()

    alone = travel(recipe(place, "0.2502"), place, suite, silent)
    assert alone.fresh
    assert attempts(alone.record).count == 5
    assert attempts(alone.record).sweep is None


def test_a_sweep_that_was_stopped_has_tried_its_variants(place: Workspace, suite: Suite) -> None:
    def stop(event: Event) -> None:
        if event[:2] == ("merge", "start"):
            raise InterruptedRunError("stopped by the test")

    with pytest.raises(InterruptedRunError):
        sweep(place, suite, "0.25, 0.5, 0.75", stop)
    with pytest.raises(NonFiniteError):
        travel(recipe(place, "1.0e+9"), place, suite, silent)
    assert attempts(only_record(place)).count == 4


def test_a_sweep_of_which_nothing_is_finite_is_recorded(place: Workspace, suite: Suite) -> None:
    with pytest.raises(NonFiniteError, match=r"none of the 2 variants passed; .*0: the"):
        sweep(place, suite, "1.0e+9, 2.0e+9")
    record = only_record(place)
    assert record.status == "failed"
    assert attempts(record).count == trials(record) == 2
    with pytest.raises(NonFiniteError):
        sweep(place, suite, "2.0e+9, 1.0e+9, 3.0e+9")
    assert {attempts(one).count for one in FolderStore(place.board).load().records} == {3}


def test_a_sweep_of_which_nothing_passes_its_checks_is_recorded(
    place: Workspace, suite: Suite
) -> None:
    def stop(event: Event) -> None:
        if event[:2] == ("check", "start"):
            raise InterruptedRunError("stopped by the test")

    with pytest.raises(InterruptedRunError):
        sweep(place, suite, "0.25", stop)
    leave_checks(place, passed=False)
    with pytest.raises(CheckFailedError, match=r"(?s)none of the 1 variants .*no such layer"):
        sweep(place, suite, "0.25")
    failure = only_record(place).failure
    assert failure is not None
    assert failure.stage == "check"


def test_a_broken_parent_fails_a_sweep_as_it_fails_a_recipe(place: Workspace, suite: Suite) -> None:
    weights = place.root.parent / "two/model.safetensors"
    broken = load_file(weights)
    broken["model.norm.weight"] = np.full_like(broken["model.norm.weight"], np.nan)
    save_file(broken, weights, metadata={"format": "pt"})
    with pytest.raises(
        NonFiniteError, match=r"two: tensor 'model\.norm\.weight' holds a NaN"
    ) as told:
        sweep(place, suite, "0.25, 0.5")
    assert "this parent is broken" in (told.value.hint or "")
    record = only_record(place)
    assert record.failure is not None
    assert record.failure.stage == "merge"
    assert attempts(record).count == trials(record) == 2
