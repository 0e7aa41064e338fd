"""Merging and verifying from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.checkpoint.models import write_model
from tests.cli.commands import run
from tests.families import RECIPE, flip_bit, write_family
from tests.plan.parents import LLAMA


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_family(tmp_path)


def test_a_merge_lands_in_its_folder(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged"
    done = run("merge", recipe, out, "--json")
    assert done.code == 0
    assert done.json()["tensors"] == 39
    assert {"model.safetensors", "config.json", "recipe.yaml"} <= {p.name for p in out.iterdir()}
    assert not (tmp_path / "merged.partial").exists()


def test_threads_and_shards_change_no_tensor(recipe: Path, tmp_path: Path) -> None:
    digests = {
        run("merge", recipe, tmp_path / f"out-{threads}-{size}", "--json",
            "--threads", threads, "--out-shard-size", size).json()["model_digest"]
        for threads, size in [(1, "5GB"), (2, "10K"), (5, "20K")]
    }  # fmt: skip
    assert len(digests) == 1


def test_a_finished_merge_is_found_again(recipe: Path, tmp_path: Path) -> None:
    first = run("merge", recipe, tmp_path / "merged", "--json").json()
    stamp = (tmp_path / "merged/model.safetensors").stat().st_mtime_ns
    again = run("merge", recipe, tmp_path / "merged", "--json").json()
    assert again["model_digest"] == first["model_digest"]
    assert (tmp_path / "merged/model.safetensors").stat().st_mtime_ns == stamp


def test_a_foreign_folder_is_never_overwritten(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    done = run("merge", recipe, out)
    assert done.code == 6
    assert "choose another output folder" in done.err
    assert (out / "thesis.txt").read_text() == "precious"


@pytest.fixture
def locked(recipe: Path, tmp_path: Path) -> Path:
    assert run("merge", recipe, tmp_path / "merged", "--lock").code == 0
    return tmp_path / "merged"


def test_a_lock_that_cannot_be_written_is_found_before_the_merge(
    recipe: Path, tmp_path: Path
) -> None:
    odd = recipe.rename(tmp_path / "r\udcff.yaml")
    done = run("merge", odd, tmp_path / "merged", "--lock")
    assert done.code == 6
    assert r"r\udcff.yaml" in done.err
    assert not list(tmp_path.glob("merged*"))
    assert run("merge", odd, tmp_path / "merged").code == 0


@pytest.mark.parametrize(
    "text",
    [
        RECIPE.replace("weight: 0.5", "weight: 1e39"),
        (
            "merge_method: nuslerp\nbase_model: ./base\nmodels:\n"
            "  - {model: ./second, parameters: {weight: 1}}\n"
            "  - {model: ./huge, parameters: {weight: 1}}\n"
        ),
    ],
)
def test_an_overflow_ends_in_one_clean_error(
    text: str, recipe: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    tensors = load_file(tmp_path / "second/model.safetensors")
    huge = {name: np.full_like(values, 3.3e38) for name, values in tensors.items()}
    write_model(tmp_path / "huge", huge, {"config.json": json.dumps(LLAMA).encode()})
    low = {name: -values for name, values in huge.items()}
    write_model(tmp_path / "base", low, {"config.json": json.dumps(LLAMA).encode()})
    recipe.write_text(text)
    done = run("merge", recipe, tmp_path / "merged")
    assert done.code == 7
    assert "too large for float32" in done.err
    assert not [str(each.message) for each in recwarn]


def test_verify_makes_the_same_bytes_again(locked: Path, tmp_path: Path) -> None:
    done = run("verify", locked, "--parents", tmp_path, "--json")
    assert done.code == 0
    assert done.json()["answer"] == "identical"


def test_verify_catches_one_flipped_bit_in_the_output(locked: Path, tmp_path: Path) -> None:
    flip_bit(locked / "model.safetensors")
    done = run("verify", locked, "--parents", tmp_path, "--json")
    assert done.code == 15
    assert "lm_head.weight" in done.json()["reasons"][0]


def test_verify_catches_one_flipped_bit_in_a_parent(locked: Path, tmp_path: Path) -> None:
    flip_bit(tmp_path / "second/model.safetensors")
    done = run("verify", locked, "--parents", tmp_path, "--json")
    assert done.code == 15
    assert "./second is not what the lock pins (model.safetensors)" in done.json()["reasons"][0]


def test_verify_catches_a_changed_config(locked: Path, tmp_path: Path) -> None:
    config = locked / "config.json"
    config.write_text(config.read_text().replace("10000.0", "10001.0"))
    done = run("verify", locked, "--parents", tmp_path, "--json")
    assert done.code == 15
    assert "config" in done.json()["reasons"][0]


def test_verify_says_how_to_find_lost_parents(locked: Path) -> None:
    done = run("verify", locked)
    assert done.code == 15
    assert "--parents" in done.err


def test_verify_needs_a_lock(recipe: Path, tmp_path: Path) -> None:
    run("merge", recipe, tmp_path / "merged")
    done = run("verify", tmp_path / "merged")
    assert done.code == 16
    assert "recipe.lock.json" in done.err


def test_a_swapped_tensor_in_lock_and_model_is_still_caught(locked: Path, tmp_path: Path) -> None:
    """Someone who rewrites the lock to fit other weights fails at the new merge."""
    run("merge", tmp_path / "recipe.yaml", tmp_path / "other", "--lock")
    flip_bit(tmp_path / "other/model.safetensors")
    from bot.checkpoint.digest import tensor_digest
    from bot.checkpoint.folder_source import FolderSource
    from bot.recipe.recipe_lock import LOCK_FILE, LockedResult, dump_lock, read_lock

    forged = FolderSource(tmp_path / "other")
    tensors = {name: tensor_digest(forged, spec) for name, spec in forged.tensors().items()}
    lock = read_lock(locked / LOCK_FILE)
    result = LockedResult(model_digest=forged.id, tensors=tensors)
    (tmp_path / "other" / LOCK_FILE).write_text(dump_lock(lock.with_result(result)))
    done = run("verify", tmp_path / "other", "--parents", tmp_path, "--json")
    assert done.code == 15
    assert "comes out differently" in done.json()["reasons"][0]
