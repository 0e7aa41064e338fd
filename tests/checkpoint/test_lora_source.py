"""A base with an adapter, against the update worked out in float64."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.lora_source import LoraSource
from bot.checkpoint.source import is_costly
from bot.errors import CheckpointError
from tests.checkpoint.models import random_tensors, write_model

BASE = {"q.weight": (40, 24), "q.bias": (40,), "k.weight": (16, 24), "emb.weight": (50, 8)}
RANK = 4
PREFIX = "base_model.model."
CONFIG = {"peft_type": "LORA", "r": RANK, "lora_alpha": 6, "bias": "none"}


def factors(rank: int = RANK) -> dict[str, np.ndarray]:
    return {
        PREFIX + name: values
        for name, values in random_tensors(
            2, {"q.lora_A.weight": (rank, 24), "q.lora_B.weight": (40, rank)}
        ).items()
    }


def adapted(
    folder: Path, tensors: dict[str, np.ndarray] | None = None, **config: Any
) -> LoraSource:
    base = write_model(
        folder / "base", random_tensors(1, BASE), {"config.json": b"{}", "tokenizer.json": b"1"}
    )
    adapter = folder / "adapter"
    adapter.mkdir()
    save_file(factors() if tensors is None else tensors, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text(json.dumps(CONFIG | config))
    return LoraSource(base, adapter)


def read(source: LoraSource | FolderSource, name: str) -> np.ndarray:
    spec = source.tensors()[name]
    buffer = bytearray(spec.nbytes)
    source.read_into(name, 0, memoryview(buffer))
    return np.frombuffer(buffer, np.float32).reshape(spec.shape)


def expected(scale: float) -> np.ndarray:
    base, update = random_tensors(1, BASE)["q.weight"], factors()
    a, b = update[PREFIX + "q.lora_A.weight"], update[PREFIX + "q.lora_B.weight"]
    return base.astype(np.float64) + scale * b.astype(np.float64) @ a.astype(np.float64)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 6 / RANK),
        ({"use_rslora": True}, 6 / np.sqrt(RANK)),
        ({"alpha_pattern": {"q": 2}}, 2 / RANK),
        ({"alpha_pattern": {"other": 2}}, 6 / RANK),
        ({"alpha_pattern": {r"(k|q)": 2}}, 2 / RANK),
        ({"alpha_pattern": {r"[qk]\w*": 2}, "use_rslora": True}, 2 / np.sqrt(RANK)),
        ({"alpha_pattern": {"x": 3, "q": 2, ".*q": 1}}, 2 / RANK),
        ({"rank_pattern": {"q": RANK}, "r": 64}, 6 / RANK),
        ({"rank_pattern": {r"layers\.\d+\.q|q": RANK}, "r": 64}, 6 / RANK),
    ],
)
def test_the_update_is_added_at_its_scale(
    tmp_path: Path, config: dict[str, Any], scale: float
) -> None:
    source = adapted(tmp_path, **config)
    np.testing.assert_allclose(read(source, "q.weight"), expected(scale), rtol=0, atol=2e-5)
    for name in ("q.bias", "k.weight", "emb.weight"):
        np.testing.assert_array_equal(read(source, name), random_tensors(1, BASE)[name])


def test_a_read_may_be_cut_anywhere(tmp_path: Path) -> None:
    source = adapted(tmp_path)
    whole = read(source, "q.weight").tobytes()
    for offset, size in ((0, 1), (7, 90), (95, 3), (96, 96), (3000, 840)):
        part = bytearray(size)
        source.read_into("q.weight", offset, memoryview(part))
        assert bytes(part) == whole[offset : offset + size]


def test_an_embedding_is_adapted_the_other_way_round(tmp_path: Path) -> None:
    tensors = random_tensors(3, {"emb.lora_embedding_A": (2, 50), "emb.lora_embedding_B": (8, 2)})
    source = adapted(tmp_path, {PREFIX + name: value for name, value in tensors.items()}, r=2)
    a, b = (value.astype(np.float64) for value in tensors.values())
    wide = random_tensors(1, BASE)["emb.weight"] + 3.0 * (b @ a).T
    np.testing.assert_allclose(read(source, "emb.weight"), wide, rtol=0, atol=2e-5)


def test_a_fully_trained_tensor_replaces_the_bases(tmp_path: Path) -> None:
    own = random_tensors(4, {"k.weight": (16, 24)})
    tensors = factors() | {PREFIX + "k.weight": own["k.weight"]}
    np.testing.assert_array_equal(read(adapted(tmp_path, tensors), "k.weight"), own["k.weight"])


def test_a_fully_trained_tensor_of_another_dtype_is_rounded_to_the_bases(tmp_path: Path) -> None:
    own = random_tensors(4, {"k.weight": (16, 24)})["k.weight"].astype(np.float64) / 3
    source = adapted(tmp_path, factors() | {PREFIX + "k.weight": own})
    whole = own.astype(np.float32)
    np.testing.assert_array_equal(read(source, "k.weight"), whole)
    for offset, size in ((0, 3), (5, 90), (1533, 3)):
        part = bytearray(size)
        source.read_into("k.weight", offset, memoryview(part))
        assert bytes(part) == whole.tobytes()[offset : offset + size]


def test_an_adapted_head_is_added_to_the_copy_that_is_saved_beside_its_factors(
    tmp_path: Path,
) -> None:
    own = random_tensors(6, {"q.weight": (40, 24)})["q.weight"]
    source = adapted(tmp_path, factors() | {PREFIX + "q.base_layer.weight": own})
    update = expected(6 / RANK) - random_tensors(1, BASE)["q.weight"]
    np.testing.assert_allclose(read(source, "q.weight"), own + update, rtol=0, atol=2e-5)


def test_side_files_are_the_bases_unless_the_adapter_has_a_tokenizer(tmp_path: Path) -> None:
    source = adapted(tmp_path)
    assert source.file("config.json") == b"{}"
    assert source.file("tokenizer.json") == b"1"
    (tmp_path / "adapter" / "tokenizer.json").write_bytes(b"2")
    assert source.file("tokenizer.json") == b"2"


@pytest.mark.parametrize("module", ["model.layers.7.q", "q"])
def test_a_pattern_may_name_the_end_of_a_module(tmp_path: Path, module: str) -> None:
    shapes = {f"{module}.weight": (40, 24)}
    base = write_model(tmp_path / "base", random_tensors(1, shapes), {})
    (tmp_path / "adapter").mkdir()
    renamed = {name.replace(PREFIX + "q", PREFIX + module): x for name, x in factors().items()}
    save_file(renamed, tmp_path / "adapter/adapter_model.safetensors")
    patterns = {"alpha_pattern": {r"layers\.\d+\.q": 2}}
    (tmp_path / "adapter/adapter_config.json").write_text(json.dumps(CONFIG | patterns))
    scale = (2 if module != "q" else 6) / RANK
    merged = read(LoraSource(base, tmp_path / "adapter"), f"{module}.weight")
    a, b = (x.astype(np.float64) for x in factors().values())
    wanted = random_tensors(1, shapes)[f"{module}.weight"] + scale * (b @ a)
    np.testing.assert_allclose(merged, wanted, rtol=0, atol=2e-5)


CONFIGS: tuple[dict[str, Any], ...] = ({}, {"lora_alpha": 7}, {"use_rslora": True})


def test_the_id_tells_adapters_apart(tmp_path: Path) -> None:
    ids = {adapted(tmp_path / str(number), **config).id for number, config in enumerate(CONFIGS)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"peft_type": "IA3"}, "LoRA"),
        ({"use_dora": True}, "use_dora is not supported"),
        ({"bias": "all"}, "bias is not supported"),
        (
            {"init_lora_weights": "pissa_niter_4"},
            "init_lora_weights 'pissa_niter_4' is not supported",
        ),
        ({"init_lora_weights": "olora"}, "not supported"),
        ({"r": 8}, "r is 8, but the factors of 'q' have rank 4"),
        ({"alpha_pattern": {"(a+)+q": 1}}, "not a simple enough expression"),
        ({"alpha_pattern": {"(q": 1}}, "not a simple enough expression"),
        ({"alpha_pattern": {"q" * 300: 1}}, "not a simple enough expression"),
        ({"alpha_pattern": {"a?" * 50: 1}}, "not a simple enough expression"),
        ({"alpha_pattern": {"(.|q)" * 30: 1}}, "not a simple enough expression"),
        ({"alpha_pattern": {f"x{n}": 1 for n in range(100_000)}}, "at most 10000 are read"),
        ({"alpha_pattern": "x"}, "alpha_pattern is not a table"),
        ({"rank_pattern": [1]}, "rank_pattern is not a table"),
        ({"lora_alpha": "x"}, "no scale"),
        ({"lora_alpha": float("nan")}, "it holds NaN"),
        ({"lora_alpha": float("inf")}, "no scale"),
        ({"lora_alpha": 1e308}, "no scale"),
        ({"lora_alpha": True}, "no scale"),
        ({"lora_alpha": 10**4000}, "a number of 4001 digits"),
        ({"lora_alpha": "1" * 4000}, "lora_alpha '1111.*… are no scale"),
        ({"r": 10**4000}, "a number of 4001 digits"),
        ({"r": "1" * 4000}, "r is '1111.*…, but"),
        ({"task": "\ud800"}, "half of a surrogate pair at 'task'"),
    ],
)
def test_other_adapters_are_refused_by_name(
    tmp_path: Path, config: dict[str, Any], says: str
) -> None:
    with pytest.raises(CheckpointError, match=says) as caught:
        adapted(tmp_path, **config)
    assert str(tmp_path / "adapter") in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.hint


def test_patterns_that_would_run_for_hours_are_refused(tmp_path: Path) -> None:
    module = "a." * 1000 + "q"
    base = write_model(tmp_path / "base", random_tensors(1, {f"{module}.weight": (40, 24)}))
    (tmp_path / "adapter").mkdir()
    renamed = {name.replace(PREFIX + "q", PREFIX + module): x for name, x in factors().items()}
    save_file(renamed, tmp_path / "adapter/adapter_model.safetensors")
    patterns = {"alpha_pattern": {".*.*x": 2}}
    (tmp_path / "adapter/adapter_config.json").write_text(json.dumps(CONFIG | patterns))
    with pytest.raises(CheckpointError, match="1 patterns for 1 modules, which take too long"):
        LoraSource(base, tmp_path / "adapter")


def test_an_update_that_overflows_says_nothing_about_our_lines(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    assert not np.isfinite(read(adapted(tmp_path, lora_alpha=3e38), "q.weight")).all()
    assert not list(recwarn)


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ({"z.lora_A.weight": (4, 24), "z.lora_B.weight": (40, 4)}, "'z'.*no such weight"),
        ({"q.lora_A.weight": (4, 23), "q.lora_B.weight": (40, 4)}, "'q'.*shape"),
        ({"q.lora_A.weight": (4, 24), "q.lora_B.weight": (40, 3)}, "'q'"),
        ({"q.lora_A.weight": (4, 24)}, "only one of its two factors"),
        ({"q.lora_A.weight": (4,), "q.lora_B.weight": (40, 4)}, "not a matrix"),
        ({"q.something": (4,)}, "replaces no tensor"),
        ({"k.weight": (16, 23)}, "of its shape"),
    ],
)
def test_an_adapter_that_does_not_fit(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]], says: str
) -> None:
    tensors = {PREFIX + name: value for name, value in random_tensors(5, shapes).items()}
    with pytest.raises(CheckpointError, match=says) as caught:
        adapted(tmp_path, tensors)
    assert str(tmp_path / "adapter") in caught.value.message


def test_an_adapter_without_its_config(tmp_path: Path) -> None:
    adapted(tmp_path)
    (tmp_path / "adapter" / "adapter_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"adapter_config\.json"):
        LoraSource(FolderSource(tmp_path / "base"), tmp_path / "adapter")


def test_only_what_is_computed_costs_to_be_read_again(tmp_path: Path) -> None:
    source = adapted(tmp_path)
    assert [name for name in BASE if is_costly(source, name)] == ["q.weight"]
    assert not is_costly(FolderSource(tmp_path / "base"), "q.weight")
