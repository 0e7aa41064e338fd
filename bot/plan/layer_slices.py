"""The output's layer slices: which layers of which parent models each output slice is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.architecture.model_config import layer_count
from bot.plan.findings import Findings
from bot.plan.parent_model import ParentModel
from bot.recipe.method_signature import Signature
from bot.recipe.recipe import ModelInput, ModelRef, Parameters, Recipe, Slice

ParentModels = Mapping[ModelRef, ParentModel]


@dataclass(frozen=True, kw_only=True)
class SliceInput:
    """One input of an output slice; the same model may be the input at two positions.

    ``start`` is the index of its first layer. ``parameters`` are those written beside this input in
    the recipe; they take precedence over the slice's and the recipe's.
    """

    model: ParentModel
    start: int = 0
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OutputSlice:
    """``length`` consecutive output layers; ``base`` is not among the ``models``."""

    models: tuple[SliceInput, ...]
    base: SliceInput | None
    length: int
    parameters: Parameters = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[SliceInput, ...]:
        """The base, if there is one, then the models."""
        return (self.base, *self.models) if self.base else self.models


def output_slices(
    recipe: Recipe, signature: Signature, models: ParentModels, findings: Findings
) -> tuple[OutputSlice, ...]:
    """The output's slices in order; ``models:`` is one slice of all layers."""
    parts: Sequence[Slice] = recipe.slices or (Slice(sources=recipe.models or ()),)
    found = (
        _output_slice(recipe, part, f"slice {number}", signature, models, findings)
        for number, part in enumerate(parts, start=1)
    )
    slices = tuple(output_slice for output_slice in found if output_slice is not None)
    if recipe.slices and len(slices) == len(parts):
        _check_empty(slices, findings)
    return slices


def _check_empty(slices: Sequence[OutputSlice], findings: Findings) -> None:
    """An empty slice decides embedding, head and norm if it is first or last, else nothing."""
    if not any(part.length for part in slices):
        findings.problem("the slices hold no layer", hint="give one slice a layer range")
    for number, part in enumerate(slices[1:-1], start=2):
        if not part.length:
            findings.warn(f"slice {number} holds no layer and changes nothing")


def _output_slice(
    recipe: Recipe,
    part: Slice,
    where: str,
    signature: Signature,
    models: ParentModels,
    findings: Findings,
) -> OutputSlice | None:
    ranges = [_range(source, models, where, findings) for source in part.sources]
    if not ranges or any(span is None for span in ranges):
        return None
    spans = [span for span in ranges if span is not None]
    lengths = {stop - start for start, stop in spans}
    if len(lengths) != 1:
        _unequal(recipe, part, spans, where, findings)
        return None
    inputs = [
        SliceInput(model=models[source.model], start=start, parameters=source.parameters)
        for source, (start, _) in zip(part.sources, spans, strict=True)
    ]
    ref = None if signature.base == "none" else part.base_model or recipe.base_model
    base: SliceInput | None = None
    if ref is not None:
        position = next((i for i, s in enumerate(part.sources) if s.model == ref), None)
        base = (
            inputs.pop(position)
            if position is not None
            else _unlisted_base(ref, spans, where, models, findings)
        )
    return OutputSlice(
        models=tuple(inputs), base=base, length=lengths.pop(), parameters=part.parameters
    )


def _range(
    source: ModelInput, models: ParentModels, where: str, findings: Findings
) -> tuple[int, int] | None:
    """The source's half-open layer range, if the model has these layers."""
    model = models.get(source.model)
    if model is None:
        return None
    found = model.tensor_layout.depth
    if source.layer_range is None:
        return 0, found
    start, stop = source.layer_range
    stated = layer_count(model.config)
    depth = found if stated is None else min(stated, found)
    if not 0 <= start <= stop <= depth:
        extra = f"layer {depth} is" if depth == found - 1 else f"layers {depth} to {found - 1} are"
        more = f" ({extra} for multi-token prediction)"
        findings.problem(
            f"{where}: layer range [{start}, {stop}) of {model.label} does not fit: "
            f"it has {depth} layers{more if stop <= found else ''}",
            hint=f"ranges are half-open: all of {model.label} is [0, {depth}]",
        )
        return None
    return start, stop


def _unequal(
    recipe: Recipe,
    part: Slice,
    spans: Sequence[tuple[int, int]],
    where: str,
    findings: Findings,
) -> None:
    counts = ", ".join(
        f"{source.model}: {stop - start}"
        for source, (start, stop) in zip(part.sources, spans, strict=True)
    )
    if recipe.slices:
        findings.problem(
            f"{where}: the sources have different numbers of layers ({counts})",
            hint="every source of a slice gives the same number of layers",
        )
    else:
        findings.problem(
            f"the models have different numbers of layers ({counts})",
            hint="merge models of one depth, or choose layers with slices:",
        )


def _unlisted_base(
    ref: ModelRef,
    spans: Sequence[tuple[int, int]],
    where: str,
    models: ParentModels,
    findings: Findings,
) -> SliceInput | None:
    """The base of a slice that does not list it: the layer range that all sources share."""
    model = models.get(ref)
    if model is None:
        return None
    start, stop = spans[0]
    if len(set(spans)) > 1 or stop > model.tensor_layout.depth:
        findings.problem(
            f"{where}: which layers of the base model {ref} belong here is not clear",
            hint=f"list {ref} among the slice's sources, with its layer_range",
        )
        return None
    return SliceInput(model=model, start=start)


def layer_map(parts: Sequence[OutputSlice]) -> Iterator[tuple[ParentModel, int]]:
    """For each output layer, the model and layer whose per-layer config entries it gets.

    These are the first input's.
    """
    for part in parts:
        first = part.inputs[0]
        for layer in range(part.length):
            yield first.model, first.start + layer
