"""A sweep resolves its parents once: a branch that moves meanwhile changes nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bot.checkpoint.folder_source import FolderSource
from bot.errors import NonFiniteError
from bot.evaluation.suite_catalog import SEARCH_PATH, Suite, load_suite_file
from bot.events import Report, silent
from bot.lineage.resolved_parent import ResolvedParent
from bot.pipeline.run_recipe import RunOptions
from bot.pipeline.run_sweep import run_sweep
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe import ModelRef
from bot.recipe.sweep import load_sweep
from leaderboard.record_store import FolderStore
from tests.evaluation.conftest import write_suite
from tests.pipeline.conftest import ENGINE, NOW, write_models

SWEEP = """\
merge_method: task_arithmetic
base_model: org/base
models:
  - model: org/one
    parameters: {{weight: {{sweep: [{values}]}}}}
dtype: float16
name: moving
"""


class MovingHub:
    """A Hub whose branches move at every look: other weights under another commit each time.

    A commit stays what it is.
    """

    def __init__(self, models: Path, home: Path) -> None:
        self.models, self.home = models, home
        self.looks: dict[str, int] = {}

    def __call__(self, ref: ModelRef, report: Report) -> ResolvedParent:
        del report
        commit = ref.revision
        if commit is None:
            self.looks[ref.path] = self.looks.get(ref.path, 0) + 1
            commit = f"{self.looks[ref.path]:040x}"
        folder = self.home / ref.name / commit
        if not folder.exists():
            shutil.copytree(self.models / ref.name, folder)
            weights = load_file(folder / "model.safetensors")
            weights["model.norm.weight"] *= np.float32(1 + int(commit, 16) / 64)
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        source = FolderSource(folder)
        return ResolvedParent(
            ref=ref, kind="hub", pin=commit, digest=source.id, source=source, folder=folder
        )


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    folder = tmp_path / "mini"
    file = write_suite(folder, search_suite="skills-search")
    return load_suite_file(file, search=[folder, *SEARCH_PATH])


@pytest.fixture
def hub(tmp_path: Path) -> MovingHub:
    write_models(tmp_path / "models")
    return MovingHub(tmp_path / "models", tmp_path / "hub")


def sweep(tmp_path: Path, values: str) -> Path:
    path = tmp_path / "moving.yaml"
    path.write_text(SWEEP.format(values=values))
    return path


def test_a_sweep_looks_each_branch_up_once(hub: MovingHub, suite: Suite, tmp_path: Path) -> None:
    """Nothing passes, so the first variant is recorded as failed: over the first commits."""
    options = RunOptions(suites=(suite,), engine=ENGINE, clock=lambda: NOW)
    place = Workspace(tmp_path / "workspace")
    with pytest.raises(NonFiniteError, match="none of the 2 variants passed"):
        run_sweep(
            load_sweep(sweep(tmp_path, "1.0e+9, 2.0e+9")),
            workspace=place, options=options, report=silent, hub=hub,
        )  # fmt: skip
    assert hub.looks == {"org/base": 1, "org/one": 1}
    (record,) = FolderStore(place.board).load().records
    assert {parent.revision for parent in record.parents} == {f"{1:040x}"}


@pytest.mark.heavy
def test_a_sweep_reports_on_the_parents_it_selected_on(
    hub: MovingHub, suite: Suite, tmp_path: Path
) -> None:
    options = RunOptions(suites=(suite,), engine=ENGINE, clock=lambda: NOW)
    place = Workspace(tmp_path / "workspace")
    variants = load_sweep(sweep(tmp_path, "0.25, 0.5"))
    swept = run_sweep(variants, workspace=place, options=options, report=silent, hub=hub)
    assert hub.looks == {"org/base": 1, "org/one": 1}
    first = {FolderSource(hub.home / name / f"{1:040x}").id for name in ("base", "one")}
    assert {parent.digest for parent in swept.run.record.parents} == first
    assert len(list((place.root / "merges").iterdir())) == 2  # the two variants, and no third merge
    updated = run_sweep(
        variants, workspace=place, options=replace(options, update=True), report=silent, hub=hub
    )
    assert hub.looks == {"org/base": 2, "org/one": 2}
    assert updated.run.record.run_key != swept.run.record.run_key
