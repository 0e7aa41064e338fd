"""Broken models are stopped with the tensor or token named; merely bad ones pass with a warning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from bot.check import Check, CheckReport, check_model
from bot.check.finite_check import check_finite
from bot.check.model_child import checks
from bot.checkpoint.folder_source import FolderSource
from bot.errors import CheckFailedError
from tests.evaluation.models import TEMPLATE, VOCABULARY, config, weights, write_model

EMBEDDING = "model.embed_tokens.weight"
DOWN = "model.layers.1.mlp.down_proj.weight"


def loaded(folder: Path, parents: tuple[Path, ...] = (), **more: Any) -> dict[str, Check]:
    """The checks of the model child, made in this process to save its start."""
    request = {
        "model": str(folder), "parents": [str(parent) for parent in parents], "parent_rows": [],
        "prompts": ["reverse abc=", "1, 2, 3,"], "device": "cpu", "threads": 1,
    }  # fmt: skip
    return {check.name: check for check in checks(request | more)}


def failed(found: dict[str, Check]) -> dict[str, str]:
    return {name: check.detail for name, check in found.items() if not check.passed}


def change_config(folder: Path, **values: Any) -> None:
    (folder / "config.json").write_text(json.dumps(config() | values))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("check") / "sound", template=TEMPLATE)


@pytest.fixture(scope="module")
def complete(sound: Path) -> CheckReport:
    return check_model(sound, [sound], prompts=["reverse abc=", "1, 2, 3,"])


def test_a_sound_model_passes_every_hard_check(complete: CheckReport) -> None:
    assert complete.passed
    assert [check.name for check in complete.checks] == [
        "finite", "tokenizer", "loads", "no unused tensors", "vocabulary", "special tokens",
        "finite logits", "generation", "template", "known template",
    ]  # fmt: skip
    complete.require()


def test_a_report_same_text_its_file(complete: CheckReport) -> None:
    assert CheckReport.from_json(complete.to_json()) == complete
    with pytest.raises(CheckFailedError):
        CheckReport.from_json('{"checks": [{"name": 3}]}')


def test_a_nan_is_named_with_its_tensor_and_stops_the_run(tmp_path: Path) -> None:
    tensors = weights(0)
    tensors[DOWN][2, 5] = np.nan
    tensors[DOWN][3, 0] = -np.inf
    broken = write_model(tmp_path / "nan", tensors=tensors)
    check = check_finite(FolderSource(broken))
    assert check.detail == f"NaN or infinity: tensor {DOWN} has 2 (the first at index {2 * 32 + 5})"
    assert "not finite" in failed(loaded(broken))["finite logits"]
    with pytest.raises(CheckFailedError, match="down_proj"):
        CheckReport(checks=(check,)).require()


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _cut_short(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _index_without_shard(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"lm_head.weight": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


@pytest.mark.parametrize("damage", [_no_weights, _cut_short, _index_without_shard])
def test_missing_or_cut_files_end_the_checks(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "m")
    damage(folder)
    report = check_model(folder)
    assert [check.name for check in report.failures] == ["files"]
    assert report.failures[0].detail


def test_remote_code_is_refused_without_loading(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    change_config(folder, auto_map={"AutoModelForCausalLM": "evil.Model"})
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (failure,) = check_model(folder).failures
    assert failure.name == "loads"
    assert "auto_map" in failure.detail
    assert not (tmp_path / "ran").exists()


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    tensors = weights(0)
    del tensors[DOWN]
    found = loaded(write_model(tmp_path / "m", tensors=tensors))
    assert failed(found) == {"loads": f"missing tensors: {DOWN}"}


def test_an_unused_tensor_is_a_warning(tmp_path: Path) -> None:
    tensors = weights(0) | {"model.layers.9.extra.weight": np.ones(3, np.float32)}
    found = loaded(write_model(tmp_path / "m", tensors=tensors))
    assert not found["no unused tensors"].hard
    assert "layers.9.extra" in failed(found)["no unused tensors"]


def test_a_wrong_shape_is_named(tmp_path: Path) -> None:
    tensors = weights(0)
    tensors[DOWN] = np.ones((16, 8), np.float32)
    detail = failed(loaded(write_model(tmp_path / "m", tensors=tensors)))["loads"]
    assert detail == f"wrong shapes: {DOWN} ([16, 8] in the file, [16, 32] in the architecture)"


def test_a_token_without_a_row_is_named(tmp_path: Path) -> None:
    tensors = weights(0)
    rows = len(VOCABULARY) - 3
    for name in (EMBEDDING, "lm_head.weight"):
        tensors[name] = tensors[name][:rows].copy()
    folder = write_model(tmp_path / "m", tensors=tensors)
    change_config(folder, vocab_size=rows)
    last = max(VOCABULARY, key=lambda token: VOCABULARY[token])
    assert repr(last) in failed(loaded(folder))["vocabulary"]


def test_padding_rows_are_allowed_and_a_foreign_vocabulary_is_not(tmp_path: Path) -> None:
    def padded(rows: int) -> Path:
        tensors = weights(0)
        for name in (EMBEDDING, "lm_head.weight"):
            extra = np.zeros((rows - len(VOCABULARY), tensors[name].shape[1]), np.float32)
            tensors[name] = np.concatenate([tensors[name], extra])
        folder = write_model(tmp_path / f"m{rows}", tensors=tensors)
        change_config(folder, vocab_size=rows)
        return folder

    assert not failed(loaded(padded(320)))
    assert "more than padding" in failed(loaded(padded(2000)))["vocabulary"]
    assert not failed(loaded(tmp_path / "m2000", parent_rows=[2000]))


def test_a_special_token_outside_the_embedding_is_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 99999]}))
    detail = failed(loaded(folder))["special tokens"]
    assert "generation_config.json eos_token_id is 99999" in detail


def test_a_missing_tokenizer_fails(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    found = loaded(folder)
    assert found["tokenizer"].hard
    assert "tokenizer" in failed(found)


def _without_decoder(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["normalizer"] = {"type": "Lowercase"}
    Tokenizer.from_str(json.dumps(content)).save(str(folder / "tokenizer.json"))


def test_text_must_survive_unless_a_parent_loses_it_alike(sound: Path, tmp_path: Path) -> None:
    lossy = write_model(tmp_path / "lossy")
    _without_decoder(lossy)
    parent = write_model(tmp_path / "parent")
    _without_decoder(parent)
    assert "comes back as 'the quick" in failed(loaded(lossy))["tokenizer"]
    assert "tokenizer" in failed(loaded(lossy, parents=(sound,)))
    assert "tokenizer" not in failed(loaded(lossy, parents=(sound, parent)))


def test_a_model_that_repeats_itself_passes_with_a_warning(tmp_path: Path) -> None:
    tensors = {name: np.zeros_like(tensor) for name, tensor in weights(0).items()}
    tensors["lm_head.weight"][VOCABULARY["a"]] = 1.0
    tensors["model.norm.weight"][:] = 1.0
    tensors[EMBEDDING][:] = 1.0
    found = loaded(write_model(tmp_path / "m", tensors=tensors))
    assert list(failed(found)) == ["generation"]
    assert not found["generation"].hard
    assert "repeats itself: 'aaaa" in failed(found)["generation"]


def test_a_model_that_says_nothing_passes_with_a_warning(tmp_path: Path) -> None:
    tensors = {name: np.zeros_like(tensor) for name, tensor in weights(0).items()}
    tensors["lm_head.weight"][VOCABULARY["</s>"]] = 1.0
    tensors["model.norm.weight"][:] = 1.0
    tensors[EMBEDDING][:] = 1.0
    found = loaded(write_model(tmp_path / "m", tensors=tensors))
    assert "generates nothing" in failed(found)["generation"]
