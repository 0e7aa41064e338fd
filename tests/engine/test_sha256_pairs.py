"""Two messages hashed side by side have the digests that each alone has."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.checkpoint.digest import BLOCK_BYTES, TensorDigest, one_by_one
from bot.engine.kernels.sha256_pairs import sha256s

BYTES = np.random.default_rng(0).integers(0, 256, 3 * BLOCK_BYTES, np.uint8).data
LENGTHS = st.one_of(st.integers(0, 200), st.sampled_from([4096, 65535, 65536]))


@settings(deadline=None)
@given(st.lists(LENGTHS, max_size=5), st.integers(0, 63))
def test_messages_of_any_lengths(lengths: list[int], start: int) -> None:
    messages = [BYTES[start + place : start + place + size] for place, size in enumerate(lengths)]
    expected = [hashlib.sha256(message).digest() for message in messages]
    assert sha256s()(messages) == expected


def test_a_tensor_in_chunks_of_several_blocks() -> None:
    size = len(BYTES) - 12345
    usual, paired = TensorDigest(size), TensorDigest(size, sha256s())
    for digest, chunk in ((usual, BLOCK_BYTES), (paired, 2 * BLOCK_BYTES)):
        for start in range(0, size, chunk):
            digest.take(start, BYTES[start : min(start + chunk, size)])
    assert paired.hexdigest() == usual.hexdigest()


def test_only_a_processor_with_the_instructions_hashes_in_pairs() -> None:
    assert sha256s("+avx2,-sha,+sha512") is one_by_one
    assert sha256s("+avx2,+sha") is not one_by_one
