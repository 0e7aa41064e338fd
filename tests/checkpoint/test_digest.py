"""Digests: by blocks in any order, of behaviour and not of packaging."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.checkpoint.digest import (
    BLOCK_BYTES,
    TensorDigest,
    model_digest,
    shapes_behaviour,
    tensor_digest,
)
from bot.checkpoint.memory_checkpoint import MemorySource
from bot.checkpoint.tensor_spec import Dtype, TensorSpec

SIZE = 2 * BLOCK_BYTES + 12345
CONTENT = np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8).tobytes()


def by_hand(content: bytes) -> str:
    blocks = range(0, len(content), BLOCK_BYTES)
    parts = [hashlib.sha256(content[start : start + BLOCK_BYTES]).digest() for start in blocks]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, SIZE - 1), max_size=5, unique=True), st.randoms())
def test_pieces_may_come_in_any_order(cuts: list[int], random: Random) -> None:
    edges = [0, *sorted(cuts), SIZE]
    pieces = list(pairwise(edges))
    random.shuffle(pieces)
    digest = TensorDigest(SIZE)
    for start, stop in pieces:
        data = bytearray(CONTENT[start:stop])
        digest.take(start, memoryview(data))
        data[:] = bytes(len(data))
    assert digest.hexdigest() == by_hand(CONTENT)


def test_a_source_read_block_by_block_has_the_same_digest() -> None:
    spec = TensorSpec(name="x", dtype=Dtype.U8, shape=(SIZE,))
    assert tensor_digest(MemorySource({spec: CONTENT}), spec) == by_hand(CONTENT)
    empty = TensorSpec(name="e", dtype=Dtype.F32, shape=(0, 3))
    assert tensor_digest(MemorySource({empty: b""}), empty) == by_hand(b"")


def test_a_missing_piece_is_noticed() -> None:
    digest = TensorDigest(SIZE)
    digest.take(0, memoryview(CONTENT)[: BLOCK_BYTES + 5])
    with pytest.raises(ValueError, match="block 1"):
        digest.hexdigest()


def test_a_model_digest_is_of_names_kinds_bytes_and_behaviour() -> None:
    specs = [TensorSpec(name=name, dtype=Dtype.F32, shape=(2,)) for name in ("a", "b")]
    layout = {spec.name: spec for spec in specs}
    files = {"config.json": b"{}", "README.md": b"card"}
    usual = model_digest(layout, {"a": "1", "b": "2"}, files)
    reordered = dict(reversed(layout.items()))
    assert model_digest(reordered, {"b": "2", "a": "1"}, files | {"README.md": b"new"}) == usual
    integers = layout | {"a": TensorSpec(name="a", dtype=Dtype.I32, shape=(2,))}
    flat = layout | {"a": TensorSpec(name="a", dtype=Dtype.F32, shape=(1, 2))}
    others = {
        model_digest(layout, {"a": "2", "b": "1"}, files),
        model_digest(integers, {"a": "1", "b": "2"}, files),
        model_digest(flat, {"a": "1", "b": "2"}, files),
        model_digest(layout, {"a": "1", "b": "2"}, files | {"config.json": b"[]"}),
        model_digest(layout, {"a": "1", "b": "2"}, files | {"chat_template.jinja": b""}),
    }
    assert len(others | {usual}) == 6


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("config.json", True),
        ("generation_config.json", True),
        ("tokenizer.json", True),
        ("chat_template.jinja", True),
        ("additional_chat_templates/tool.jinja", True),
        ("README.md", False),
        ("LICENSE", False),
        ("model.safetensors.index.json", False),
    ],
)
def test_what_shapes_behaviour(path: str, counts: bool) -> None:
    assert shapes_behaviour(path) is counts


def test_more_bytes_than_the_tensor_has_are_refused() -> None:
    digest = TensorDigest(100)
    for offset, size in ((0, 200), (50, 51), (100, 1)):
        with pytest.raises(ValueError, match="100 bytes"):
            digest.take(offset, memoryview(bytes(size)))
