"""The list of output tensors: each name with the input tensors it is made from, in file order."""

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
    """One output tensor before its inputs are checked and its parameters resolved.

    ``inputs`` has one tensor name per input of the output slice, None where that model has no such
    tensor. ``t`` is the position on gradients, 0 to 1. ``copied`` means that the first input's
    bytes are taken over unchanged.
    """

    name: str
    output_slice: OutputSlice
    t: float
    inputs: tuple[str | None, ...]
    copied: bool = False

    @property
    def pairs(self) -> tuple[tuple[SliceInput, str | None], ...]:
        """Each slice input with the name of its tensor."""
        return tuple(zip(self.output_slice.inputs, self.inputs, strict=True))


def output_tensors(
    parts: Sequence[OutputSlice], config_source: ParentModel, *, sliced: bool
) -> Iterator[TensorPlan]:
    """Yield the embeddings, then the layers in order, then the final norm and the head.

    Tensors before the layers come from the first output slice, tensors after them from the last.
    Slices select layers of the language model only; vision and audio towers are copied from the
    config source.
    """
    first, last = parts[0], parts[-1]
    yield from _rest(first, after=False)
    yield from _other_towers(first, config_source, sliced=sliced)
    index = 0
    for part in parts:
        for layer in range(part.length):
            yield from _layer(part, layer, index)
            index += 1
    yield from _rest(last, after=True)


def is_after_layers(name: str) -> bool:
    """Whether a tensor outside the layers is applied after them: final norm or head."""
    module = name.split(".")[-2:-1]
    return is_head(name) or bool(_FINAL_NORMS.intersection(module))


def _rest(part: OutputSlice, *, after: bool) -> Iterator[TensorPlan]:
    names = dict.fromkeys(
        spec.name
        for slice_input in part.inputs
        for spec in slice_input.model.tensor_layout.rest
        if is_after_layers(spec.name) is after
    )
    for name in sorted(names, key=is_head):
        yield _tensor_plan(part, name, OUTSIDE_LAYERS, [name] * len(part.inputs))


def _other_towers(
    part: OutputSlice, config_source: ParentModel, *, sliced: bool
) -> Iterator[TensorPlan]:
    source = (
        OutputSlice(models=(SliceInput(model=config_source),), base=None, length=0)
        if sliced
        else part
    )
    layouts = [slice_input.model.tensor_layout for slice_input in source.inputs]
    texts = {layout.text for layout in layouts}
    prefixes = dict.fromkeys(prefix for layout in layouts for prefix in layout.stacks)
    for prefix in prefixes:
        if prefix in texts:
            continue
        stack = next(layout.stacks[prefix] for layout in layouts if prefix in layout.stacks)
        for name, t in _blocks(stack):
            yield _tensor_plan(source, name, t, [name] * len(source.inputs), copied=sliced)


def _blocks(stack: Stack) -> Iterator[tuple[str, float]]:
    for index, block in enumerate(stack.blocks):
        for spec in block.values():
            yield spec.name, depth(index, len(stack.blocks))


def _layer(part: OutputSlice, layer: int, index: int) -> Iterator[TensorPlan]:
    """One output layer: every tensor that any of its inputs has in its own layer."""
    blocks = []
    for slice_input in part.inputs:
        layout = slice_input.model.tensor_layout
        assert layout.text is not None  # noqa: S101 - a slice with layers has a stack
        blocks.append((layout.text, slice_input.start + layer, layout.stacks[layout.text].blocks))
    suffixes = dict.fromkeys(suffix for _, source, stack in blocks for suffix in stack[source])
    prefix = blocks[0][0]
    for suffix in suffixes:
        inputs = [
            Place(prefix=own, index=source, suffix=suffix).name(source) for own, source, _ in blocks
        ]
        name = Place(prefix=prefix, index=index, suffix=suffix).name(index)
        yield _tensor_plan(part, name, depth(layer, part.length), inputs)


def _tensor_plan(
    part: OutputSlice, name: str, t: float, inputs: Sequence[str], *, copied: bool = False
) -> TensorPlan:
    return TensorPlan(
        name=name,
        output_slice=part,
        t=t,
        inputs=tuple(
            tensor if tensor in slice_input.model.tensors else None
            for slice_input, tensor in zip(part.inputs, inputs, strict=True)
        ),
        copied=copied or name.endswith(_RECOMPUTED),
    )
