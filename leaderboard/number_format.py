"""How numbers are written, the same on every face.

Scores are shown times 100 with one decimal, differences with their sign and a true minus,
what is missing as a dash.
"""

from __future__ import annotations

import math

MISSING = "—"
MINUS = "\u2212"


def points(fraction: float | None) -> str:
    """``0.684`` as ``68.4``."""
    return MISSING if fraction is None else _signless(f"{100 * fraction:.1f}")


def signed(fraction: float | None) -> str:
    """``-0.012`` as ``−1.2``; what rounds to nothing has no sign."""
    if fraction is None:
        return MISSING
    text = f"{100 * fraction:+.1f}"
    return "0.0" if text in {"+0.0", "-0.0"} else text.replace("-", MINUS)


def interval(low: float | None, high: float | None) -> str:
    """``[67.5, 69.3]``."""
    return MISSING if low is None or high is None else f"[{points(low)}, {points(high)}]"


def half_width(low: float | None, high: float | None) -> str:
    """``±0.9``: half of the 95 % interval's width, as tables show it."""
    return "" if low is None or high is None else f"±{100 * (high - low) / 2:.1f}"


def p_value(p: float) -> str:
    """``p = 0.012`` or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def parameters(count: int | None) -> str:
    """``8030261248`` as ``8.0B``."""
    if count is None:
        return MISSING
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * size:
            return f"{count / size:.1f}{letter}"
    return str(count)


def memory(count: int | None) -> str:
    """Bytes as ``16.1 GB``, in powers of ten as disks are sold."""
    if count is None:
        return MISSING
    power = min(4, max(0, math.floor(math.log10(max(count, 1)) / 3)))
    unit = ("B", "kB", "MB", "GB", "TB")[power]
    return f"{count} B" if power == 0 else f"{count / 1000**power:.1f} {unit}"


def rank_range(low: int | None, high: int | None) -> str:
    """``3–9``, or ``3`` where no other rank is possible."""
    if low is None or high is None:
        return MISSING
    return str(low) if low == high else f"{low}–{high}"


def count_of(number: int, noun: str) -> str:
    """``1 attempt``, ``3 attempts``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def attempts(count: int | None) -> str:
    """``3 attempts``, or that their number is unknown; never taken for 1."""
    return "attempts unknown" if count is None else count_of(count, "attempt")


def listed(names: list[str]) -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def moment(instant: str) -> str:
    """``2026-11-22T09:14:00Z`` as ``2026-11-22 09:14 UTC``."""
    return f"{instant[:10]} {instant[11:16]} UTC"


def _signless(text: str) -> str:
    return "0.0" if text == "-0.0" else text.replace("-", MINUS)
