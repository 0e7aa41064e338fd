"""Masks: addressable, independent of cutting, of the realised probability, and as documented."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import stats

from bot.engine.kernels.philox import SIDE_BY_SIDE, philox
from bot.engine.masks import PhiloxDraws, numpys_blocks
from bot.methods.block import Span

MASK64 = (1 << 64) - 1
DRAWS = PhiloxDraws(seed=5, tensor="model.layers.0.mlp.up_proj.weight")


def philox4x64(counter: int, key: tuple[int, int]) -> list[int]:
    """Philox4x64-10 from the paper (Salmon et al. 2011), in plain integers."""
    c = [(counter >> (64 * word)) & MASK64 for word in range(4)]
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [
            (second >> 64) ^ c[1] ^ k0, second & MASK64,
            (first >> 64) ^ c[3] ^ k1, first & MASK64,
        ]  # fmt: skip
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK64, (k1 + 0xBB67AE8584CAA73B) & MASK64
    return c


@pytest.mark.parametrize("bits", [16, 32])
def test_words_are_those_the_documentation_derives(bits: int) -> None:
    text = f"{bits}/5/1/{DRAWS.tensor}".encode()
    key = hashlib.sha256(text).digest()
    words = (int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little"))
    per_block = 256 // bits
    for element in (0, 1, 15, 16, 1000, (1 << 33) + 5):
        whole = b"".join(
            word.to_bytes(8, "little") for word in philox4x64(element // per_block + 1, words)
        )
        place = element % per_block * bits // 8
        expected = int.from_bytes(whole[place : place + bits // 8], "little")
        assert DRAWS.words(1, bits, element, element + 1)[0] == expected


@pytest.mark.parametrize("probability", [0.3, 0.001, 0.9999])
def test_a_mask_may_be_cut_anywhere(probability: float) -> None:
    whole, realised = DRAWS.keep(0, probability, Span(0, 5000, 5000))
    parts = []
    for start, stop in ((0, 1), (1, 17), (17, 999), (999, 5000)):
        part, same = DRAWS.keep(0, probability, Span(start, stop, 5000))
        assert same == realised
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert abs(realised - probability) <= 2**-17


@pytest.mark.parametrize("probability", [0.005, 0.1, 0.5, 0.77, 0.995])
def test_as_many_are_kept_as_the_realised_probability_says(probability: float) -> None:
    count = 1 << 20
    mask, realised = DRAWS.keep(2, probability, Span(0, count, count))
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert stats.binomtest(int(mask.sum()), count, float(realised)).pvalue > 1e-6


def test_certainty_is_certain() -> None:
    span = Span(0, 1000, 1000)
    for probability, kept in ((0.0, 0), (1.0, 1000)):
        mask, realised = DRAWS.keep(0, probability, span)
        assert mask.sum() == kept
        assert realised == probability


@pytest.mark.parametrize(("bounds", "step"), [(None, 2**-32), ((0.05, 0.95), 2**-16)])
def test_each_element_may_have_its_own_probability(
    bounds: tuple[float, float] | None, step: float
) -> None:
    count = 1 << 18
    chances = np.linspace(0.05, 0.95, count).astype(np.float32)
    mask, realised = DRAWS.keep(0, chances, Span(0, count, count), bounds)
    np.testing.assert_allclose(realised, chances, atol=step / 2 + 2**-23)
    for part in np.array_split(np.arange(count), 8):
        expected, spread = chances[part].sum(), np.sqrt((chances[part] * (1 - chances[part])).sum())
        assert abs(mask[part].sum() - expected) < 5 * spread


def test_seed_tensor_and_model_give_unrelated_masks() -> None:
    count = 1 << 16
    span = Span(0, count, count)
    others = [
        PhiloxDraws(seed=6, tensor=DRAWS.tensor).keep(0, 0.5, span)[0],
        PhiloxDraws(seed=5, tensor="another").keep(0, 0.5, span)[0],
        DRAWS.keep(1, 0.5, span)[0],
    ]
    mine = DRAWS.keep(0, 0.5, span)[0]
    for other in others:
        assert abs(float((mine == other).mean()) - 0.5) < 5 * 0.5 / np.sqrt(count)


@pytest.mark.parametrize("blocks", [0, 1, 255, 256, 1000])
@pytest.mark.parametrize("first", [0, 12345, (1 << 40) + 3])
def test_the_kernel_makes_numpys_blocks(first: int, blocks: int) -> None:
    key = np.array([0xFEDCBA9876543210, (1 << 64) - 1], np.uint64)
    made = np.empty(4 * blocks, np.uint64)
    philox(key, np.uint64(first + 1), made, np.empty((6, SIDE_BY_SIDE), np.uint64))
    np.testing.assert_array_equal(made, numpys_blocks(key, first, blocks))
