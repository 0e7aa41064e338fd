"""Masks: addressable, independent of cutting, of the realised probability, and as documented."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bot.engine.kernels.philox import philox
from bot.engine.random_masks import PhiloxDraws
from bot.methods.core.method_input import Span

MASK32 = (1 << 32) - 1
DRAWS = PhiloxDraws(seed=5, tensor="model.layers.0.mlp.up_proj.weight")


def philox4x32(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 from the paper (Salmon et al. 2011), in plain integers."""
    c, (k0, k1) = counter, key
    for _ in range(10):
        first, second = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (second >> 32) ^ c[1] ^ k0, second & MASK32,
            (first >> 32) ^ c[3] ^ k1, first & MASK32,
        ]  # fmt: skip
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c


def halves(number: int) -> list[int]:
    return [number & MASK32, number >> 32]


def key_of(kind: str, model: int) -> int:
    digest = hashlib.sha256(f"{kind}/{DRAWS.seed}/{model}/{DRAWS.tensor}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def block(key: int, row: int, number: int) -> bytes:
    """One block as the documentation derives it."""
    words = philox4x32([*halves(number), *halves(row)], halves(key))
    return b"".join(word.to_bytes(4, "little") for word in words)


ANSWERS = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([MASK32] * 4, [MASK32] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("counter", "key", "words"), ANSWERS)
def test_the_generator_gives_its_authors_known_answers(
    counter: list[int], key: list[int], words: list[int]
) -> None:
    """Those of the Random123 library (kat_vectors), for philox4x32-10."""
    assert philox4x32(counter, key) == words
    whole, row, number = (
        np.uint64(low | high << 32) for low, high in (key, counter[2:], counter[:2])
    )
    made = np.empty(2, np.uint64)
    philox(whole, row, number, made)
    assert made.view("<u4").tolist() == words


@pytest.mark.parametrize("blocks", [0, 1, 7, 8, 1000])
@pytest.mark.parametrize("first", [0, (1 << 32) - 3, (1 << 40) + 3])
def test_the_generator_goes_on_from_any_block(first: int, blocks: int) -> None:
    key, row = 0xFEDCBA9876543210, (1 << 33) + 9
    made = np.empty(2 * blocks, np.uint64)
    philox(np.uint64(key), np.uint64(row), np.uint64(first), made)
    assert made.tobytes() == b"".join(block(key, row, first + k) for k in range(blocks))


@pytest.mark.parametrize("bits", [16, 32])
def test_words_are_those_the_documentation_derives(bits: int) -> None:
    per_block = 128 // bits
    for element in (0, 1, 7, 8, 1000, (1 << 36) + 5):
        whole = block(key_of(str(bits), 1), 0, element // per_block)
        place = element % per_block * bits // 8
        expected = int.from_bytes(whole[place : place + bits // 8], "little")
        assert DRAWS.words(1, bits, element, element + 1)[0] == expected


@pytest.mark.parametrize("probability", [0.3, 0.001, 0.9999])
def test_a_mask_may_be_cut_anywhere(probability: float) -> None:
    whole = DRAWS.keep(0, probability, Span(0, 5000, 5000))
    parts = [
        DRAWS.keep(0, probability, Span(start, stop, 5000))
        for start, stop in ((0, 1), (1, 17), (17, 999), (999, 5000))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert abs(DRAWS.realised(probability) - probability) <= 2**-17


@pytest.mark.parametrize("probability", [0.005, 0.1, 0.5, 0.77, 0.995])
def test_as_many_are_kept_as_the_realised_probability_says(probability: float) -> None:
    count = 1 << 20
    mask = DRAWS.keep(2, probability, Span(0, count, count))
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert stats.binomtest(int(mask.sum()), count, DRAWS.realised(probability)).pvalue > 1e-6


def test_certainty_is_certain() -> None:
    span = Span(0, 1000, 1000)
    for probability, kept in ((0.0, 0), (1.0, 1000)):
        assert DRAWS.keep(0, probability, span).sum() == kept
        assert DRAWS.realised(probability) == probability


def rivals_of(model: int, low: float, high: float, row: int, width: int) -> list[int | bool]:
    """What the documentation says of every element of a row: kept, dropped, or its rival."""
    key, own = key_of("row", model), -(-width // 16)
    drawn = b"".join(block(key, row, number) for number in range(own + -(-width // 4)))
    least, end = math.floor(256 * low), math.ceil(256 * high)
    said: list[int | bool] = []
    opened = 0
    for place in range(width):
        if not least <= drawn[place] < end:
            said.append(drawn[place] < least)
            continue
        word = drawn[16 * own + 4 * opened :][:4]
        opened += 1
        u = (least + Fraction((end - least) * int.from_bytes(word, "little"), 1 << 32)) / 256
        if not low <= u < high:
            said.append(u < low)
            continue
        step = math.floor((width - 1) * (u - Fraction(low)) / (Fraction(high) - Fraction(low)))
        said.append((place + 1 + step) % width)
    return said


CHANCES = [(0.4, 0.6), (0.001, 0.003), (0.9, 0.9999), (0.1, 0.95), (0.5 - 1e-9, 0.5 + 1e-9)]


@given(
    st.sampled_from(CHANCES), st.integers(2, 300), st.integers(1, 4),
    st.sampled_from([0, 3, (1 << 32) - 1]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_rivals_are_those_the_documentation_derives(
    between: tuple[float, float], width: int, rows: int, first: int
) -> None:
    span = Span(first * width, (first + rows) * width, 1 << 60)
    kept, rival, left = DRAWS.rank_sampling(1, between, span, width)
    said = [rivals_of(1, *between, first + row, width) for row in range(rows)]
    for place in range(rows * width):
        row, column = divmod(place, width)
        expected = said[row][column]
        if expected is True:
            assert kept[place]
            assert rival[place] == place
        else:
            meets = place if expected is False else row * width + expected
            assert (kept[place], rival[place]) == (False, meets)
        assert left[place] == (rival[place] < place)


def test_every_other_element_is_as_likely_a_rival() -> None:
    width, rows = 7, 200_000
    between, span = (0.2, 0.7), Span(0, rows * width, rows * width)
    kept, rival, _ = DRAWS.rank_sampling(0, between, span, width)
    own = np.arange(rows * width)
    met = rival[rival != own]
    for place in range(width):
        mine = own[rival != own] % width == place
        counts = np.bincount(met[mine] % width, minlength=width)
        assert counts[place] == 0
        assert stats.chisquare(np.delete(counts, place)).pvalue > 1e-6
    assert stats.binomtest(int(kept.sum()), rows * width, between[0]).pvalue > 1e-6
    assert stats.binomtest(met.size, rows * width, between[1] - between[0]).pvalue > 1e-6


def test_seed_tensor_and_model_give_unrelated_masks() -> None:
    count = 1 << 16
    span = Span(0, count, count)
    others = [
        PhiloxDraws(seed=6, tensor=DRAWS.tensor).keep(0, 0.5, span),
        PhiloxDraws(seed=5, tensor="another").keep(0, 0.5, span),
        DRAWS.keep(1, 0.5, span),
    ]
    mine = DRAWS.keep(0, 0.5, span)
    for other in others:
        assert abs(float((mine == other).mean()) - 0.5) < 5 * 0.5 / np.sqrt(count)
