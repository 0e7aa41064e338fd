"""Where in a network a tensor stands, read from its name alone, for any architecture.

A repeated block is a dotted prefix followed by a number (``model.layers.7.``,
``transformer.h.0.``); the first such number counts, later ones are experts or parts of a block.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.checkpoint.tensor_spec import TensorSpec

_INDEX_DIGITS = 6
_OTHER_SENSES = ("vision", "visual", "image", "audio", "speech", "projector")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A block tensor's place: ``prefix`` + ``.index.`` + ``suffix``."""

    prefix: str
    index: int
    suffix: str

    def name(self, index: int) -> str:
        """The tensor's name when it stands in another block."""
        return f"{self.prefix}.{index}.{self.suffix}"


def locate(name: str) -> Place | None:
    """Where a tensor stands, or None when it is in no repeated block."""
    parts = name.split(".")
    for position, part in enumerate(parts[1:-1], start=1):
        if _is_index(part):
            prefix, suffix = ".".join(parts[:position]), ".".join(parts[position + 1 :])
            return Place(prefix=prefix, index=int(part), suffix=suffix)
    return None


def _is_index(part: str) -> bool:
    plain = part.isascii() and part.isdigit() and len(part) <= _INDEX_DIGITS
    return plain and str(int(part)) == part


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A run of repeated blocks; ``blocks[i]`` maps a suffix to the tensor of block ``i``."""

    prefix: str
    blocks: tuple[Mapping[str, TensorSpec], ...]

    @property
    def nbytes(self) -> int:
        """Stored size of all blocks."""
        return sum(spec.nbytes for block in self.blocks for spec in block.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorLayout:
    """A model's tensors by place: blocks in stacks, and the rest in file order.

    ``text`` is the prefix of the language model's stack, the one that slices cut, or None.
    """

    stacks: Mapping[str, Stack]
    rest: tuple[TensorSpec, ...]
    text: str | None

    @property
    def depth(self) -> int:
        """How many layers the language model has."""
        return len(self.stacks[self.text].blocks) if self.text is not None else 0


def group_by_layer(tensors: Iterable[TensorSpec], layers: int | None) -> TensorLayout:
    """Sort a model's tensors by place.

    Numbered modules that do not count 0, 1, 2, ... without a gap (a projector's ``mlp.0`` and
    ``mlp.2``) are no stack: their tensors stay among the rest.

    Args:
        tensors: the model's header, in file order.
        layers: how many layers the config promises, if it says so.
    """
    found: dict[str, dict[int, dict[str, TensorSpec]]] = defaultdict(lambda: defaultdict(dict))
    specs = tuple(tensors)
    for spec in specs:
        place = locate(spec.name)
        if place:
            found[place.prefix][place.index][place.suffix] = spec
    stacks = {
        prefix: Stack(prefix=prefix, blocks=tuple(blocks[index] for index in range(len(blocks))))
        for prefix, blocks in found.items()
        if set(blocks) == set(range(len(blocks)))
    }
    in_stack = {
        spec.name for stack in stacks.values() for block in stack.blocks for spec in block.values()
    }
    rest = tuple(spec for spec in specs if spec.name not in in_stack)
    return TensorLayout(stacks=stacks, rest=rest, text=_text_stack(stacks.values(), layers))


def _text_stack(stacks: Iterable[Stack], layers: int | None) -> str | None:
    """The language model's stack: of the promised depth, no other sense's, the largest."""
    ranked = sorted(
        stacks,
        key=lambda stack: (
            any(sense in stack.prefix for sense in _OTHER_SENSES),
            layers is not None and len(stack.blocks) != layers,
            -stack.nbytes,
        ),
    )
    return ranked[0].prefix if ranked else None
