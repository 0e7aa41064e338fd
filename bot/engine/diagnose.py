"""What a family of models looks like before it is merged, from a few sampled byte ranges.

Fast whatever the models' size: every tensor is read at a few places only, chosen by position, so
the same models always give the same answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from bot.architecture.layer_names import locate
from bot.checkpoint.decode import decode
from bot.checkpoint.source import Source
from bot.checkpoint.tensor_spec import TensorSpec
from bot.engine.tensor_inputs import check_finite
from bot.events import Event, Report, silent
from bot.methods.core.all_methods import catalogue
from bot.methods.slerp import SLERP_COLLINEAR
from bot.plan.merge_plan import Plan, Slot, TensorJob

RANGES = 8
RANGE_ELEMENTS = 4096
ORTHOGONAL = 0.1
"""Below this cosine, task vectors hardly touch each other."""

MODULES = (
    ("norm", re.compile(r"norm|\bln_")),
    ("attention", re.compile(r"attn|attention|\bq_proj|\bk_proj|\bv_proj|\bo_proj")),
    ("mlp", re.compile(r"mlp|feed_forward|ffn|experts|\bfc\d|\bw[123]\b")),
    ("embedding", re.compile(r"embed|wte|wpe")),
    ("head", re.compile(r"lm_head|output\.weight")),
)
"""The first that fits counts."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One tensor's sampled numbers, summed up in float64.

    ``inputs`` are the parents it was read from, the base first where there is one, and ``equal``
    tells of two of them whether they hold the same. Norms are of the sampled elements. ``deltas``
    are the task vectors' norms over the base's, none where there is no base or it is zero;
    ``cosine`` is the mean over pairs of task vectors (of weights where there is no base);
    ``conflict`` the share of positions where two task vectors point opposite ways; ``lerp`` whether
    slerp of the first two inputs would be lerp.
    """

    tensor: str
    inputs: tuple[str, ...]
    has_base: bool
    equal: Mapping[frozenset[str], bool]
    deltas: tuple[float, ...]
    cosine: float | None
    conflict: float | None
    lerp: bool

    @property
    def base(self) -> str | None:
        """The parent that the task vectors start from."""
        return self.inputs[0] if self.has_base else None

    @property
    def moved(self) -> Iterator[tuple[str, float]]:
        """Every model with its task vector's norm over the base's, where that is known."""
        return zip(self.inputs[1:], self.deltas, strict=False)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The mean over the tensors of one layer and kind of module."""

    layer: int | None
    module: str
    tensors: int
    delta: float | None
    cosine: float | None
    conflict: float | None
    lerp: float | None


@dataclass(frozen=True, kw_only=True)
class DeltaShare:
    """How far a model is from its base, as the mean over its tensors."""

    model: str
    delta: float


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Groups in the order of the model, totals by kind of module and by model, a plain reading."""

    groups: tuple[Group, ...]
    modules: tuple[Group, ...]
    models: tuple[DeltaShare, ...]
    reading: tuple[str, ...]


def diagnose(plan: Plan, sources: Mapping[str, Source], report: Report = silent) -> Diagnosis:
    """Sample every merged tensor and say what the samples suggest.

    Raises:
        CheckpointError: a parent's file cannot be read.
        NonFiniteError: a sample holds a NaN or an infinity.
    """
    jobs = [job for job in plan.jobs if job.method is not None and len(job.inputs) > 1]
    report(Event("diagnose", "start", "tensors", 0, len(jobs)))
    found = []
    for count, job in enumerate(jobs, start=1):
        found.append(_sample(job, plan, sources))
        report(Event("diagnose", "advance", "tensors", count, len(jobs), job.output.name))
    report(Event("diagnose", "end", "tensors", len(jobs), len(jobs), f"{len(jobs)} tensors"))
    modules, models = tuple(_groups(found, by_layer=False)), tuple(_models(found))
    return Diagnosis(
        groups=tuple(_groups(found, by_layer=True)),
        modules=modules,
        models=models,
        reading=(
            *_relations(jobs, found),
            *_directions(found),
            *_distances(modules, models),
        ),
    )


def _sample(job: TensorJob, plan: Plan, sources: Mapping[str, Source]) -> Sampled:
    inputs = [_read(slot, job.output, sources[slot.source]) for slot in job.inputs]
    base, models = (inputs[0], inputs[1:]) if job.base else (None, inputs)
    vectors = models if base is None else [model - base for model in models]
    size = _norm(base if base is not None else inputs[0])
    pairs = [found for a, b in combinations(vectors, 2) if (found := _cosine(a, b)) is not None]
    clashes = [found for a, b in combinations(vectors, 2) if (found := _conflict(a, b)) is not None]
    ends = _cosine(inputs[0], inputs[1])
    parents = tuple(plan.sources[slot.source].parent for slot in job.inputs)
    moved = base is not None and size > 0
    return Sampled(
        tensor=job.output.name,
        inputs=parents,
        has_base=base is not None,
        equal=_equal(parents, inputs),
        deltas=tuple(_norm(vector) / size for vector in vectors) if moved else (),
        cosine=_mean(pairs),
        conflict=_mean(clashes) if base is not None else None,
        lerp=ends is None or abs(ends) >= SLERP_COLLINEAR,
    )


def _equal(parents: Sequence[str], inputs: Sequence[Floats]) -> Mapping[frozenset[str], bool]:
    """Of any two parents, whether all they gave is equal."""
    equal: dict[frozenset[str], bool] = {}
    for (left, one), (right, two) in combinations(zip(parents, inputs, strict=True), 2):
        pair = frozenset({left, right})
        equal[pair] = equal.get(pair, True) and np.array_equal(one, two)
    return equal


def _read(slot: Slot, output: TensorSpec, source: Source) -> Floats:
    spec = source.tensors()[slot.tensor]
    pieces = []
    for start, stop in sampled_ranges(output.elements):
        raw = memoryview(bytearray((stop - start) * spec.dtype.itemsize))
        source.read_into(slot.tensor, start * spec.dtype.itemsize, raw)
        check_finite(raw, spec.dtype, slot, start, source)
        pieces.append(decode(raw, spec.dtype))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def sampled_ranges(elements: int) -> list[tuple[int, int]]:
    """Evenly spread ranges of elements; all of a small tensor."""
    if elements <= RANGES * RANGE_ELEMENTS:
        return [(0, elements)] if elements else []
    step = (elements - RANGE_ELEMENTS) / (RANGES - 1)
    starts = [round(index * step) for index in range(RANGES)]
    return [(start, start + RANGE_ELEMENTS) for start in starts]


def _norm(values: Floats) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).sum()))


def _cosine(left: Floats, right: Floats) -> float | None:
    size = _norm(left) * _norm(right)
    if size == 0:
        return None
    return float((left.astype(np.float64) * right).sum()) / size


def _conflict(left: Floats, right: Floats) -> float | None:
    both = (left != 0) & (right != 0)
    count = int(both.sum())
    return float((np.sign(left) != np.sign(right))[both].sum()) / count if count else None


def module_of(tensor: str) -> str:
    """The kind of module a tensor belongs to, by its name."""
    return next((kind for kind, form in MODULES if form.search(tensor)), "other")


def layer_of(tensor: str) -> int | None:
    """The layer a tensor stands in, or None outside the stack."""
    place = locate(tensor)
    return place.index if place else None


def _groups(found: Sequence[Sampled], *, by_layer: bool) -> Iterable[Group]:
    rows: dict[tuple[int | None, str], list[Sampled]] = {}
    for row in found:
        key = (layer_of(row.tensor) if by_layer else None, module_of(row.tensor))
        rows.setdefault(key, []).append(row)
    for (layer, module), members in rows.items():
        yield Group(
            layer=layer,
            module=module,
            tensors=len(members),
            delta=_mean(_mean(row.deltas) for row in members),
            cosine=_mean(row.cosine for row in members),
            conflict=_mean(row.conflict for row in members),
            lerp=_mean(float(row.lerp) for row in members),
        )


def _models(found: Sequence[Sampled]) -> Iterable[DeltaShare]:
    deltas: dict[str, list[float]] = {}
    for row in found:
        for model, delta in row.moved:
            deltas.setdefault(model, []).append(delta)
    for model, known in deltas.items():
        yield DeltaShare(model=model, delta=float(np.mean(known)))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _relations(jobs: Sequence[TensorJob], found: Sequence[Sampled]) -> Iterable[str]:
    """What the models are to each other and to their base, for people."""
    if not found:
        yield "every tensor is taken from one model: there is nothing to compare"
    elif not any(row.has_base for row in found):
        yield f"{_no_base(jobs)}: the cosines are those of whole weights, not of what was learned"
    bases = {row.base for row in found if row.base}
    twins = list(_twins(found))
    unmoved = [(left, right) for left, right in twins if left in bases]
    compared = {model for row in found if row.has_base for model in row.inputs[1:]}
    if compared and compared <= {model for _, model in unmoved}:
        yield "where they were sampled, the models are equal to their base: is it the right base?"
        return
    for base, model in unmoved:
        yield f"where it was sampled, {model} is equal to the base {base}: it teaches nothing"
    idle = {model for _, model in unmoved}
    for left, right in twins:
        if left not in bases | idle:
            yield f"where they were sampled, {left} and {right} are equal: one model counts twice"


def _no_base(jobs: Sequence[TensorJob]) -> str:
    method = catalogue()[str(jobs[0].method)]
    deaf = method.signature.base == "none"
    return f"{method.name} does not use a base model" if deaf else "without a base model"


def _twins(found: Sequence[Sampled]) -> Iterable[tuple[str, str]]:
    """Parents that are equal wherever both were sampled, a base before its models."""
    parents = dict.fromkeys(parent for row in found for parent in row.inputs)
    for left, right in combinations(parents, 2):
        pair = frozenset({left, right})
        seen = [row.equal[pair] for row in found if pair in row.equal]
        if seen and all(seen):
            yield left, right


def _directions(found: Sequence[Sampled]) -> Iterable[str]:
    """What the angles between the models suggest, for people who do not read tables of cosines."""
    cosine, conflict = _mean(row.cosine for row in found), _mean(row.conflict for row in found)
    if conflict is not None and cosine is not None:
        if abs(cosine) < ORTHOGONAL:
            yield "the task vectors are almost orthogonal: adding them interferes little"
        elif cosine > 0.6:
            yield "the task vectors point the same way: averaging loses little, adding overshoots"
        elif cosine < -ORTHOGONAL:
            yield "the task vectors pull against each other: expect the merge to forget"
        if conflict > 0.4 and (cosine < -ORTHOGONAL or conflict > implied_conflict(cosine) + 0.1):
            text = f"signs disagree at {100 * conflict:.0f} % of the positions two models changed"
            yield f"{text}: a method that elects signs (ties, dare_ties) is worth a try"
    lerp = _mean(float(row.lerp) for row in found)
    if lerp is not None and lerp > 0.5:
        yield f"slerp is lerp on {100 * lerp:.0f} % of the tensors: they lie along one line there"


def implied_conflict(cosine: float) -> float:
    """The share of signs that disagree between normal vectors at this angle: half at 90 degrees."""
    return math.acos(min(max(cosine, -1.0), 1.0)) / math.pi


def _distances(modules: Sequence[Group], models: Sequence[DeltaShare]) -> Iterable[str]:
    """How far the models went, for people."""
    moved = [(group.delta, group.module) for group in modules if group.delta]
    if moved:
        delta, module = max(moved)
        yield f"fine-tuning moved the {module} tensors most, by {100 * delta:.1f} %"
        each = ", ".join(f"{model.model} {100 * model.delta:.1f} %" for model in models)
        yield f"it moved each model by: {each}"
