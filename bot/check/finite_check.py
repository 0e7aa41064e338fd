"""Whether every number of a checkpoint is finite, read in pieces of bounded size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.checkpoint.source import Source
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.events import Event, Report, silent
from leaderboard.record_provenance import Check

PIECE_BYTES = 4 << 20

# A float is NaN or infinite exactly when all bits of its exponent are set; E4M3 has no infinity
# and is NaN when exponent and mantissa are all set.
_EXPONENT: dict[Dtype, tuple[str, int]] = {
    Dtype.F64: ("<u8", 0x7FF0_0000_0000_0000),
    Dtype.F32: ("<u4", 0x7F80_0000),
    Dtype.F16: ("<u2", 0x7C00),
    Dtype.BF16: ("<u2", 0x7F80),
    Dtype.F8_E5M2: ("<u1", 0x7C),
    Dtype.F8_E4M3: ("<u1", 0x7F),
}


@dataclass(frozen=True, kw_only=True)
class NonFinite:
    """How many NaNs and infinities a tensor has, and the flat row-major index of the first."""

    tensor: str
    first: int
    count: int


def non_finite(source: Source, report: Report = silent) -> tuple[NonFinite, ...]:
    """Every tensor that holds a NaN or an infinity; integers and booleans are always finite."""
    specs = source.tensors().values()
    total = sum(spec.nbytes for spec in specs)
    done, found = 0, []
    for spec in specs:
        if (broken := _first_and_count(source, spec)) is not None:
            found.append(broken)
        done += spec.nbytes
        report(Event("check", "advance", "bytes", done, total, spec.name))
    return tuple(found)


def check_finite(source: Source, report: Report = silent) -> Check:
    """The hard check that every number is finite; it names the tensors where one is not."""
    broken = non_finite(source, report)
    found = [
        f"tensor {entry.tensor} has {entry.count} (the first at index {entry.first})"
        for entry in broken[:5]
    ]
    more = f"; {len(broken) - 5} more tensors" if len(broken) > 5 else ""
    detail = f"NaN or infinity: {'; '.join(found)}{more}" if broken else ""
    return Check(name="finite", hard=True, passed=not broken, detail=detail)


def _first_and_count(source: Source, spec: TensorSpec) -> NonFinite | None:
    if spec.dtype not in _EXPONENT:
        return None
    code, mask = _EXPONENT[spec.dtype]
    bits = np.dtype(code)
    first, count = None, 0
    for start in range(0, spec.nbytes, PIECE_BYTES):
        piece = np.empty(min(PIECE_BYTES, spec.nbytes - start) // bits.itemsize, bits)
        source.read_into(spec.name, start, piece.data.cast("B"))
        broken = np.flatnonzero((piece & bits.type(mask)) == mask)
        if first is None and broken.size:
            first = start // bits.itemsize + int(broken[0])
        count += int(broken.size)
    return None if first is None else NonFinite(tensor=spec.name, first=first, count=count)
