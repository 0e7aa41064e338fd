"""Which files of a repository are fetched where it holds the same weights in several layouts."""

from __future__ import annotations

import pytest

from bot.errors import CheckpointError
from bot.hub.download import needed
from bot.hub.repo_snapshot import RemoteFile, Snapshot

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEX = "model.safetensors.index.json"


def snapshot_of(**sizes: int) -> Snapshot:
    files = {name: RemoteFile(size=size, blob="x") for name, size in sizes.items()}
    return Snapshot(repo="a/b", commit="0" * 40, files=files)


def test_mistral_s_consolidated_copy_is_left_where_it_is() -> None:
    sizes = {"consolidated.safetensors": 14, SHARDS[0]: 7, SHARDS[1]: 7, INDEX: 1, "config.json": 1}
    snapshot = snapshot_of(**sizes)
    paths = needed(snapshot)
    assert "consolidated.safetensors" not in paths
    assert snapshot.size(paths) == 16


@pytest.mark.parametrize(
    "copies",
    [
        ("consolidated.00.safetensors", "consolidated.01.safetensors"),
        ("original/consolidated.00.pth", "original/params.json"),
        ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "model.gguf"),
        ("model.fp16.safetensors", "model.fp16-00001-of-00002.safetensors"),
        ("onnx/model.onnx", "onnx/model.safetensors"),
    ],
)
@pytest.mark.parametrize("layout", [(INDEX, *SHARDS), ("model.safetensors",)])
def test_only_the_layout_that_is_read_is_fetched(
    layout: tuple[str, ...], copies: tuple[str, ...]
) -> None:
    names = dict.fromkeys([*layout, *copies, "config.json"], 1)
    assert needed(snapshot_of(**names)) == sorted([*layout, "config.json"])


def test_one_file_counts_before_shards_and_an_adapter_keeps_its_own() -> None:
    names = dict.fromkeys(["model.safetensors", INDEX, *SHARDS, "adapter_config.json"], 1)
    assert needed(snapshot_of(**names)) == ["adapter_config.json", "model.safetensors"]
    names = dict.fromkeys(["adapter_model.safetensors", "adapter_config.json"], 1)
    assert needed(snapshot_of(**names)) == ["adapter_config.json", "adapter_model.safetensors"]


def test_the_index_decides_which_shards_are_fetched() -> None:
    odd = ("weights-a.safetensors", "weights-b.safetensors")
    names = dict.fromkeys([INDEX, *odd, *SHARDS], 1)
    assert needed(snapshot_of(**names), {*odd}) == sorted([INDEX, *odd])
    with pytest.raises(CheckpointError, match=r"names other\.safetensors, which is not there"):
        needed(snapshot_of(**names), {"other.safetensors"})


def test_another_layout_alone_is_refused_before_a_byte_is_fetched() -> None:
    with pytest.raises(CheckpointError, match=r"only consolidated\.safetensors") as caught:
        needed(snapshot_of(**{"consolidated.safetensors": 9, "params.json": 1}))
    assert "layout of transformers" in (caught.value.hint or "")
