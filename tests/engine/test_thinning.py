"""Drops by rank where the draw stands at the very threshold."""

from __future__ import annotations

import numpy as np
import pytest

from bot.engine.kernels.stored import StoredGrain
from bot.engine.kernels.thinning import thinner
from bot.engine.masks import PhiloxDraws
from bot.methods.block import Block, Span
from bot.methods.drop import mag_prune

WIDTH, HALF = 30_011, 0.15
DENSITIES = {16: 0.4, 32: 0.16}
"""By the width of the words that their probabilities need."""


class Edge(PhiloxDraws):
    """Draws that stand ``above`` steps over the threshold of the rank equal to the position."""

    above = 0

    def words(self, model, bits, start, stop, make=None):
        rank = np.arange(WIDTH, dtype=np.float32)
        density = DENSITIES[bits]
        slope, least = np.float32(2 * HALF / (WIDTH - 1)), np.float32(density - HALF)
        chance = (rank * slope + least).astype(np.float64)
        edge = np.rint(chance * 2**bits).astype(np.int64) + self.above
        return edge.astype(f"<u{bits // 8}")


class BelowEdge(Edge):
    above = -1


@pytest.mark.parametrize("bits", DENSITIES)
@pytest.mark.parametrize(("draws", "kept"), [(Edge, False), (BelowEdge, True)])
def test_kernel_and_definition_have_the_same_thresholds(draws, kept, bits):
    rising = np.arange(1, WIDTH + 1, dtype=np.float32)[None]
    span, prune = Span(0, WIDTH, WIDTH), mag_prune((DENSITIES[bits],), (HALF,))
    edge = draws(seed=0, tensor="w")
    block = Block(
        base=0 * rising, models=(rising,), span=span, shape=rising.shape, tensor="w", draws=edge
    )
    (plain,) = prune(block)
    assert np.all((plain != 0) == kept)
    grain = StoredGrain(
        bits=np.concatenate([0 * rising, rising]).view(np.uint32),
        first=0, has_base=True, width=WIDTH, span=span, tensor="w", draws=edge, drawn={},
    )  # fmt: skip
    kernel = thinner(prune)
    assert kernel is not None
    assert np.all((kernel(grain).words == 0) == kept)
