"""Sharded output, read by the libraries people use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from bot.checkpoint.file_layout import lay_out
from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.header import ALIGNMENT
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.engine.execute import execute
from bot.errors import PlanError
from tests.engine.plans import plan_for


@pytest.fixture(scope="module")
def llamas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FolderSource]:
    home = tmp_path_factory.mktemp("llamas")
    config = LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=64, max_position_embeddings=32,
    )  # fmt: skip
    found = {}
    for seed, name in enumerate(("a", "b")):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(home / name)
        found[name] = FolderSource(home / name)
    return found


@pytest.mark.parametrize("shard_bytes", [4000, 1 << 30])
def test_transformers_loads_what_was_merged(
    llamas: dict[str, FolderSource], tmp_path: Path, shard_bytes: int
) -> None:
    files = {"config.json": llamas["a"].file("config.json") or b""}
    plan = plan_for(llamas, "linear", {"weight": (0.25, 0.75)}, files=files)
    execute(plan, llamas, FolderSink(tmp_path / "out", shard_bytes=shard_bytes))
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "out").state_dict()
    parents = [AutoModelForCausalLM.from_pretrained(llamas[n].path).state_dict() for n in "ab"]
    for name, tensor in merged.items():
        wide = 0.25 * parents[0][name].double() + 0.75 * parents[1][name].double()
        torch.testing.assert_close(tensor.double(), wide, rtol=0, atol=1e-7)


def test_shards_are_whole_safetensors_files_with_an_index(
    llamas: dict[str, FolderSource], tmp_path: Path
) -> None:
    plan = plan_for(llamas, "linear", {"weight": 1.0})
    out = tmp_path / "out"
    execute(plan, llamas, FolderSink(out, shard_bytes=9000))
    index = json.loads((out / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(spec.nbytes for spec in plan.layout)
    assert list(index["weight_map"]) == [spec.name for spec in plan.layout]
    files = sorted(set(index["weight_map"].values()))
    assert files == [
        f"model-{n:05d}-of-{len(files):05d}.safetensors" for n in range(1, len(files) + 1)
    ]
    for file in files:
        with safe_open(out / file, "np") as opened:
            assert opened.metadata() == {"format": "pt"}
            assert set(opened.keys()) == {n for n, f in index["weight_map"].items() if f == file}
    assert FolderSource(out).tensors().keys() == {spec.name for spec in plan.layout}


def specs(*sizes: int) -> list[TensorSpec]:
    return [
        TensorSpec(name=f"t{number}", dtype=Dtype.U8, shape=(size,))
        for number, size in enumerate(sizes)
    ]


def test_no_shard_is_larger_than_asked_but_for_a_single_tensor() -> None:
    shards = lay_out(specs(40, 60, 1, 500, 99, 1), 100)
    assert [list(shard.positions) for shard in shards] == [
        ["t0", "t1"],
        ["t2"],
        ["t3"],
        ["t4", "t5"],
    ]
    for shard in shards:
        assert len(shard.header) % ALIGNMENT == 0
        assert min(shard.positions.values()) == len(shard.header)
    assert np.sum([shard.size - len(shard.header) for shard in shards]) == 701


def test_two_tensors_of_one_name_are_refused() -> None:
    with pytest.raises(PlanError, match="'t0'"):
        lay_out([*specs(1), *specs(1)])
