"""Every output tensor's name and the tensors it comes from, in the order of the output file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.architecture.layer_names import Place, Stack
from bot.checkpoint.tensor_roles import is_head
from bot.plan.layer_slices import OutputSlice, SliceInput
from bot.plan.parent_model import ParentModel
from bot.recipe.parameter_schedule import OUTSIDE_LAYERS, depth

_FINAL_NORMS = frozenset(
    {"norm", "ln_f", "norm_f", "final_norm", "final_layer_norm", "final_layernorm", "ln_final"}
)
_RECOMPUTED = ("rotary_emb.inv_freq",)


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorPlan:
    """One output tensor before its details are settled.

    ``inputs`` has one tensor name per seat of the stretch, None where the model has no such
    tensor; ``t`` is the place on gradients. ``copied`` means taken from the first seat as it is.
    """

    name: str
    stretch: OutputSlice
    t: float
    inputs: tuple[str | None, ...]
    copied: bool = False

    @property
    def pairs(self) -> tuple[tuple[SliceInput, str | None], ...]:
        """Each seat with its tensor."""
        return tuple(zip(self.stretch.seats, self.inputs, strict=True))


def outline(
    parts: Sequence[OutputSlice], donor: ParentModel, *, sliced: bool
) -> Iterator[TensorPlan]:
    """Embeddings and the like, then the layers in order, then final norm and head.

    What stands before the layers comes from the first stretch, what stands after them from the
    last. Slices cut the language model's stack alone; other towers are the donor's.
    """
    first, last = parts[0], parts[-1]
    yield from _rest(first, after=False)
    yield from _other_towers(first, donor, sliced=sliced)
    index = 0
    for part in parts:
        for layer in range(part.length):
            yield from _layer(part, layer, index)
            index += 1
    yield from _rest(last, after=True)


def stands_after_layers(name: str) -> bool:
    """Whether a tensor outside the layers works on their result: final norm, head."""
    module = name.split(".")[-2:-1]
    return is_head(name) or bool(_FINAL_NORMS.intersection(module))


def _rest(part: OutputSlice, *, after: bool) -> Iterator[TensorPlan]:
    names = dict.fromkeys(
        spec.name
        for seat in part.seats
        for spec in seat.body.anatomy.rest
        if stands_after_layers(spec.name) is after
    )
    for name in sorted(names, key=is_head):
        yield _draft(part, name, OUTSIDE_LAYERS, [name] * len(part.seats))


def _other_towers(part: OutputSlice, donor: ParentModel, *, sliced: bool) -> Iterator[TensorPlan]:
    source = OutputSlice(models=(SliceInput(body=donor),), base=None, length=0) if sliced else part
    anatomies = [seat.body.anatomy for seat in source.seats]
    texts = {anatomy.text for anatomy in anatomies}
    prefixes = dict.fromkeys(prefix for anatomy in anatomies for prefix in anatomy.stacks)
    for prefix in prefixes:
        if prefix in texts:
            continue
        stack = next(a.stacks[prefix] for a in anatomies if prefix in a.stacks)
        for name, t in _blocks(stack):
            yield _draft(source, name, t, [name] * len(source.seats), copied=sliced)


def _blocks(stack: Stack) -> Iterator[tuple[str, float]]:
    for index, block in enumerate(stack.blocks):
        for spec in block.values():
            yield spec.name, depth(index, len(stack.blocks))


def _layer(part: OutputSlice, layer: int, index: int) -> Iterator[TensorPlan]:
    """One output layer: whatever any of its sources has in the layer it gives."""
    blocks = []
    for seat in part.seats:
        anatomy = seat.body.anatomy
        assert anatomy.text is not None  # noqa: S101 - a stretch with layers has a stack
        blocks.append((anatomy.text, seat.start + layer, anatomy.stacks[anatomy.text].blocks))
    suffixes = dict.fromkeys(suffix for _, source, stack in blocks for suffix in stack[source])
    prefix = blocks[0][0]
    for suffix in suffixes:
        inputs = [
            Place(prefix=own, index=source, suffix=suffix).name(source) for own, source, _ in blocks
        ]
        name = Place(prefix=prefix, index=index, suffix=suffix).name(index)
        yield _draft(part, name, depth(layer, part.length), inputs)


def _draft(
    part: OutputSlice, name: str, t: float, inputs: Sequence[str], *, copied: bool = False
) -> TensorPlan:
    return TensorPlan(
        name=name,
        stretch=part,
        t=t,
        inputs=tuple(
            tensor if tensor in seat.body.tensors else None
            for seat, tensor in zip(part.seats, inputs, strict=True)
        ),
        copied=copied or name.endswith(_RECOMPUTED),
    )
