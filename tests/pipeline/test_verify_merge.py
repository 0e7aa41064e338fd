"""The three answers of verification, forged locks included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bot.checkpoint.digest import tensor_digest
from bot.checkpoint.folder_source import FolderSource
from bot.engine.engine_version import ENGINE_VERSION
from bot.errors import VerificationError
from bot.events import silent
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.merge_recipe import merge_into_folder
from bot.pipeline.verify_merge import Answer, Verification, verify
from bot.recipe.load_recipe import load_recipe
from bot.recipe.recipe_lock import LOCK_FILE, Lock, LockedResult, dump_lock, read_lock
from tests.families import write_family

OPTIONS = EngineOptions(threads=2)
NORM = "model.norm.weight"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    merge_into_folder(
        load_recipe(write_family(tmp_path)), tmp_path / "out", OPTIONS, silent, lock=True
    )
    return tmp_path / "out"


def nudge(model: Path, units: int) -> None:
    """Move one weight by units in the last place, and make the lock agree with it."""
    tensors = load_file(model / "model.safetensors")
    changed = tensors[NORM].copy()
    changed.view(np.int32)[3] += units
    save_file(tensors | {NORM: changed}, model / "model.safetensors", metadata={"format": "pt"})
    made = FolderSource(model)
    digests = {name: tensor_digest(made, spec) for name, spec in made.tensors().items()}
    rewrite(model, result=LockedResult(model_digest=made.id, tensors=digests))


def rewrite(model: Path, **changes: object) -> Lock:
    lock = replace(read_lock(model / LOCK_FILE), **changes)  # type: ignore[arg-type]  # as given
    (model / LOCK_FILE).write_text(dump_lock(lock))
    return lock


def elsewhere(model: Path) -> None:
    """Let the lock say that another class of machine made the merge."""
    host = read_lock(model / LOCK_FILE).host
    rewrite(model, host=replace(host, cpu="riscv64 vector"))


def answer(model: Path) -> Verification:
    return verify(model, parents=model.parent, options=OPTIONS, report=silent)


def test_the_same_bytes_are_identical_wherever_the_lock_was_made(model: Path) -> None:
    found = answer(model)
    assert (found.answer, found.model_digest) == (Answer.IDENTICAL, FolderSource(model).id)
    assert found.reasons == ()
    assert found.proved == ("39 tensors come out of 3 pinned parents byte for byte",)
    assert any("there is no files.json" in fact for fact in found.unproved)
    elsewhere(model)
    assert answer(model).answer is Answer.IDENTICAL


@pytest.mark.parametrize("units", [1, -1])
def test_one_ulp_from_another_class_of_machine(model: Path, units: int) -> None:
    nudge(model, units)
    elsewhere(model)
    found = answer(model)
    assert found.answer is Answer.ONE_ULP
    assert found.answer.exit_code == 20
    assert found.reasons == ("1 tensors differ by one unit in the last place",)


def test_one_ulp_from_the_same_class_is_different(model: Path) -> None:
    nudge(model, 1)
    found = answer(model)
    assert found.answer is Answer.DIFFERENT
    assert found.answer.exit_code == 15
    assert found.reasons == (f"tensor {NORM} comes out differently",)


def test_two_ulp_from_another_class_are_different(model: Path) -> None:
    nudge(model, 2)
    elsewhere(model)
    assert answer(model).answer is Answer.DIFFERENT


def test_another_engine_may_differ_by_one_ulp_and_is_named_beyond(model: Path) -> None:
    nudge(model, 1)
    rewrite(model, engine_version="0")
    assert answer(model).answer is Answer.ONE_ULP
    nudge(model, 5)
    assert answer(model).reasons[-1] == f"made by engine 0, this is {ENGINE_VERSION}"


def test_a_lock_from_before_the_end_proves_nothing(model: Path) -> None:
    rewrite(model, result=None)
    with pytest.raises(VerificationError, match="before its merge had ended"):
        answer(model)


def test_lost_parents_are_named_once_with_the_folder_that_was_searched(model: Path) -> None:
    empty = model.parent / "empty"
    empty.mkdir()
    with pytest.raises(VerificationError) as told:
        verify(model, parents=empty, options=OPTIONS, report=silent)
    assert f"from {empty}: there is no folder ./first" in told.value.message
    assert "--parents" in (told.value.hint or "")
