"""How a task vector is thinned out before it is merged."""

from __future__ import annotations

from collections.abc import Sequence

from bot.methods.block import Array, Block
from bot.methods.reductions.kth_magnitude import Cut, KthMagnitude, Scope, Target, Top


def kth_magnitude(density: Sequence[float], scope: Scope) -> KthMagnitude | None:
    """The reduction that trimming needs; none when every model keeps everything."""
    if all(share >= 1 for share in density):
        return None
    return KthMagnitude(tuple(Target(i, Top(share)) for i, share in enumerate(density)), scope)


def trimmed(x: Block, kth: tuple[Cut, ...] | None) -> tuple[Array, ...]:
    """Every delta with only its k largest magnitudes (TIES, section 3, step 1)."""
    if kth is None:
        return x.deltas
    nothing = x.xp.zeros_like(x.deltas[0])
    return tuple(
        x.xp.where(cut.keeps(abs(delta), x), delta, nothing)
        for delta, cut in zip(x.deltas, kth, strict=True)
    )
