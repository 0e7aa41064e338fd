"""DELLA's drops: an element meets a rival from its row where its draw does not decide.

The draws, and why nothing need be ranked, are described in ``bot.engine.random_masks``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bot.engine.kernels.float_bits import difference, magnitude_bits
from bot.engine.kernels.kernel import compiled
from bot.engine.kernels.packed_bits import pack, places, places_in_eight
from bot.engine.kernels.philox import philox
from bot.engine.kernels.scratch import scratch

_ONE = np.uint32(1)


def row_scratch(width: int) -> tuple[npt.NDArray[Any], ...]:
    """What the kernels work in, and a table.

    uint64 for a row's bytes and as many words of 32 bits, each in whole blocks; uint64
    (width / 8,); uint32 (3, width + 8); see ``places_in_eight``.
    """
    return (
        scratch("draws of a row", (2 * (-(-width // 16) + -(-width // 4)),), np.uint64),
        scratch("flags", (-(-width // 8),), np.uint64),
        scratch("rows", (3, width + 8), np.uint32),
        places_in_eight(),
    )


@compiled
def rival_drops(
    base: Any, model: Any, shift: Any, width: int, low: float, high: float, key: Any, row: Any,
    dropped: Any, marks: Any, draws: Any, flags: Any, work: Any, table: Any,
) -> None:  # fmt: skip
    """Drop by magnitude of ``model - base`` within rows.

    Where model and base are equal there is nothing to drop, and the mark means nothing.

    Args:
        base: uint16 or uint32 (elements,), whole rows.
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        width: elements per row, at least 2.
        low: the probability that the smallest element of a row is kept.
        high: likewise of the largest; more than ``low``.
        key: uint64, of the tensor and model.
        row: uint64, the index of the first row in its tensor.
        dropped: uint8 (elements / 8,), set.
        marks: uint64 (elements / 8,), to work in, for a multiple of eight rows.
        draws: see ``row_scratch``, and so are the rest.
        flags: likewise.
        work: likewise.
        table: likewise.
    """
    bits, rivals, found = work[0], work[1], work[2]
    single, first = marks.view(np.uint8), 0
    bits[width] = 0
    while first < base.size:
        stop = min(first + 8 * marks.size, base.size)
        for which in range((stop - first) // width):
            here = slice(first + which * width, first + (which + 1) * width)
            lost = single[which * width : (which + 1) * width]
            _magnitudes(base[here], model[here], shift, bits[:width])
            count = _draw(key, row, width, low, high, draws, lost, flags, table, found)
            _pair(found, count, draws, low, high, width, rivals)
            _meet(bits, found, count, rivals, lost)
            row += np.uint64(1)
        pack(marks, stop - first, dropped[first // 8 :])
        first = stop


@compiled
def list_rivals(
    key: Any, row: Any, width: int, low: float, high: float, kept: Any, rival: Any, left: Any,
    draws: Any, flags: Any, work: Any, table: Any,
) -> None:  # fmt: skip
    """Who is kept without a rival, and whom the others meet; themselves where they are dropped.

    ``kept`` and ``left`` are uint8 and ``rival`` int64 (elements,), as in
    ``RankSampling``; the rest is as in ``rival_drops``.
    """
    rivals, found = work[1], work[2]
    for which in range(kept.size // width):
        first = which * width
        stays, meets = kept[first : first + width], rival[first : first + width]
        count = _draw(key, row, width, low, high, draws, stays, flags, table, found)
        for j in range(width):
            stays[j] = 1 - stays[j]  # 1 meant that the byte drops it
            meets[j] = first + j
            left[first + j] = 0
        _pair(found, count, draws, low, high, width, rivals)
        for k in range(count):
            j, nobody = found[k], rivals[k] == width
            stays[j] = nobody
            meets[j] = first + (j if nobody else rivals[k])
            left[first + j] = rivals[k] < j
        row += np.uint64(1)


@compiled
def _magnitudes(base: Any, model: Any, shift: Any, bits: Any) -> None:
    """The bits of ``|model - base|``, which are ordered as the magnitudes are."""
    for j in range(bits.size):
        bits[j] = magnitude_bits(difference(model[j], base[j], shift))


@compiled
def _draw(
    key: Any, row: Any, width: int, low: float, high: float, draws: Any, lost: Any, flags: Any,
    table: Any, found: Any,
) -> int:  # fmt: skip
    """Draw a row's bytes, then a word for each element that its byte leaves open.

    ``lost`` is set to 1 where the byte drops an element, ``found`` lists the open ones.

    Returns:
        How many are open.
    """
    bytes_, open_ = _bytes(width), flags.view(np.uint8)
    philox(key, row, np.uint64(0), draws[:bytes_])
    least, last = np.uint8(np.floor(256 * low)), np.uint8(np.ceil(256 * high) - 1)
    drawn = draws.view(np.uint8)
    for j in range(width):
        above = np.uint8(drawn[j] > last)
        lost[j] = above
        open_[j] = np.uint8(np.uint8(drawn[j] >= least) ^ above)
    for j in range(width, open_.size):
        open_[j] = 0
    count = places(flags, table, found)
    philox(key, row, np.uint64(bytes_ // 2), draws[bytes_ : bytes_ + 2 * ((count + 3) // 4)])
    return count


@compiled
def _bytes(width: int) -> int:
    """In how many words of 64 bits the bytes of a row are, in whole blocks."""
    return 2 * ((width + 15) // 16)


@compiled
def _pair(
    found: Any, count: int, draws: Any, low: float, high: float, width: int, rivals: Any
) -> None:
    """Whom each open element meets.

    It is itself, which does not come before it, where the word drops it, and ``width``, which is
    nobody, where the word keeps it.
    """
    words, wide = draws[_bytes(width) :].view(np.uint32), np.uint32(width)
    least, end, farthest = np.floor(256 * low), np.ceil(256 * high), np.float64(width - 2)
    start, step, scale = least / 256, (end - least) * 2.0**-40, (width - 1) / (high - low)
    for k in range(count):
        j, drawn = found[k], start + words[k] * step
        offset = min(max((drawn - low) * scale, 0.0), farthest)
        rival = np.uint32(np.uint32(j + _ONE) + np.uint32(np.int32(offset)))
        rival = np.uint32(min(rival, np.uint32(rival - wide)))  # less than 0 is very large
        rival = j if drawn >= high else rival
        rivals[k] = wide if drawn < low else rival


@compiled
def _meet(bits: Any, found: Any, count: int, rivals: Any, lost: Any) -> None:
    """Decide the open elements of a row; after its last the bits are 0, for nobody."""
    for k in range(count):
        j, rival = found[k], rivals[k]
        left = np.uint32(rival < j)  # an equal one comes before this one if it stands left of it
        lost[j] = np.uint8(bits[rival] >= np.uint32(bits[j] + left))
