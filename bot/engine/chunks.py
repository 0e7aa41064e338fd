"""How a tensor is cut: grains decide results, chunks of whole grains decide only I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from bot.methods.core.apply import cuts
from bot.methods.core.method_input import Span, Unit


@dataclass(frozen=True, slots=True)
class Grain:
    """One grain: its elements, flat, and the shape a block of it has."""

    span: Span
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive grains that are read and written together."""

    grains: tuple[Grain, ...]

    @property
    def start(self) -> int:
        """First element."""
        return self.grains[0].span.start

    @property
    def elements(self) -> int:
        """How many elements."""
        return self.grains[-1].span.stop - self.start

    @property
    def single(self) -> Iterator[Chunk]:
        """Its grains as chunks of their own."""
        return (Chunk((grain,)) for grain in self.grains)


def chunks(shape: tuple[int, ...], elements: int, unit: Unit, size: int) -> Iterator[Chunk]:
    """A tensor as chunks of at most ``size`` grains, first to last; none when it is empty."""
    grains = (Grain(Span(start, stop, elements), block) for start, stop, block in cuts(shape, unit))
    if elements:
        while group := tuple(islice(grains, size)):
            yield Chunk(group)
