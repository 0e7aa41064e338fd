"""Which layers of which models make which run of output layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.plan.findings import Findings
from bot.plan.parent_model import ParentModel
from bot.recipe.method_signature import Signature
from bot.recipe.recipe import Input, ModelRef, Parameters, Recipe, Slice

Bodies = Mapping[ModelRef, ParentModel]


@dataclass(frozen=True, kw_only=True)
class SliceInput:
    """One participant of a stretch, known by its position: a model may sit twice.

    ``start`` is its first layer; ``parameters`` are its own, most specific ones.
    """

    body: ParentModel
    start: int = 0
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OutputSlice:
    """A run of ``length`` output layers; ``base`` is not among the ``models``."""

    models: tuple[SliceInput, ...]
    base: SliceInput | None
    length: int
    parameters: Parameters = field(default_factory=dict)

    @property
    def seats(self) -> tuple[SliceInput, ...]:
        """Base first where there is one, then the models."""
        return (self.base, *self.models) if self.base else self.models


def stretches(
    recipe: Recipe, signature: Signature, bodies: Bodies, findings: Findings
) -> tuple[OutputSlice, ...]:
    """The output's stretches from top to bottom; ``models:`` is one stretch over all layers."""
    parts: Sequence[Slice] = recipe.slices or (Slice(sources=recipe.models or ()),)
    made = (
        _stretch(recipe, part, f"slice {number}", signature, bodies, findings)
        for number, part in enumerate(parts, start=1)
    )
    return tuple(stretch for stretch in made if stretch is not None)


def _stretch(
    recipe: Recipe,
    part: Slice,
    where: str,
    signature: Signature,
    bodies: Bodies,
    findings: Findings,
) -> OutputSlice | None:
    ranges = [_range(source, bodies, where, findings) for source in part.sources]
    if not ranges or any(span is None for span in ranges):
        return None
    spans = [span for span in ranges if span is not None]
    lengths = {stop - start for start, stop in spans}
    if len(lengths) != 1:
        _unequal(recipe, part, spans, where, findings)
        return None
    seats = [
        SliceInput(body=bodies[source.model], start=start, parameters=source.parameters)
        for source, (start, _) in zip(part.sources, spans, strict=True)
    ]
    ref = None if signature.base == "none" else part.base_model or recipe.base_model
    base: SliceInput | None = None
    if ref is not None:
        position = next((i for i, s in enumerate(part.sources) if s.model == ref), None)
        base = (
            seats.pop(position)
            if position is not None
            else _unlisted_base(ref, spans, where, bodies, findings)
        )
    return OutputSlice(
        models=tuple(seats), base=base, length=lengths.pop(), parameters=part.parameters
    )


def _range(source: Input, bodies: Bodies, where: str, findings: Findings) -> tuple[int, int] | None:
    """The source's half-open layer range, if the model has these layers."""
    body = bodies.get(source.model)
    if body is None:
        return None
    depth = body.anatomy.depth
    start, stop = source.layer_range or (0, depth)
    if not 0 <= start <= stop <= depth:
        findings.problem(
            f"{where}: layer range [{start}, {stop}) of {body.label} does not fit: "
            f"it has {depth} layers",
            hint=f"ranges are half-open: all of {body.label} is [0, {depth}]",
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
    bodies: Bodies,
    findings: Findings,
) -> SliceInput | None:
    """The base of a stretch that does not list it: the layers that all sources agree on."""
    body = bodies.get(ref)
    if body is None:
        return None
    start, stop = spans[0]
    if len(set(spans)) > 1 or stop > body.anatomy.depth:
        findings.problem(
            f"{where}: which layers of the base model {ref} belong here is not clear",
            hint=f"list {ref} among the slice's sources, with its layer_range",
        )
        return None
    return SliceInput(body=body, start=start)


def layer_map(parts: Sequence[OutputSlice]) -> Iterator[tuple[ParentModel, int]]:
    """For each output layer the model and layer whose config entries it keeps: the first seat's."""
    for part in parts:
        donor = part.seats[0]
        for layer in range(part.length):
            yield donor.body, donor.start + layer
