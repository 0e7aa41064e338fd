"""What a family of models looks like before it is merged, from a few sampled byte ranges.

Fast whatever the models' size: every tensor is read at a few places only, chosen by position, so
the same models always give the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from bot.checkpoint.decode import decode
from bot.checkpoint.source import Source
from bot.checkpoint.tensor import TensorSpec
from bot.engine.inputs import check_finite
from bot.events import Event, Report, silent
from bot.plan.model import Plan, Slot, TensorJob

RANGES = 8
RANGE_ELEMENTS = 4096
LERP_COSINE = 0.9995
"""Vectors closer than this are interpolated along the chord; slerp is then lerp."""

MODULES = (
    ("attention", re.compile(r"attn|attention|\bq_proj|\bk_proj|\bv_proj|\bo_proj")),
    ("mlp", re.compile(r"mlp|feed_forward|ffn|experts|\bfc\d|\bw[123]\b")),
    ("norm", re.compile(r"norm|\bln_")),
    ("embedding", re.compile(r"embed|wte|wpe")),
    ("head", re.compile(r"lm_head|output\.weight")),
)
LAYER = re.compile(r"\.(\d+)\.")

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One tensor's sampled numbers, summed up in float64.

    Norms are of the sampled elements. ``delta`` is the task vectors' mean norm over the base's,
    None where there is no base or it is zero; ``cosine`` is the mean over pairs of task vectors (of
    weights where there is no base); ``conflict`` the share of positions where two task vectors
    point opposite ways; ``lerp`` whether slerp of the first two inputs would be lerp.
    """

    tensor: str
    delta: float | None
    cosine: float | None
    conflict: float | None
    lerp: bool | None


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
class Diagnosis:
    """Groups in the order of the model, totals by kind of module, and a plain reading."""

    groups: tuple[Group, ...]
    modules: tuple[Group, ...]
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
        found.append(_sample(job, sources))
        report(Event("diagnose", "advance", "tensors", count, len(jobs), job.output.name))
    report(Event("diagnose", "end", "tensors", len(jobs), len(jobs), f"{len(jobs)} tensors"))
    groups = tuple(_groups(found, by_layer=True))
    modules = tuple(_groups(found, by_layer=False))
    return Diagnosis(groups=groups, modules=modules, reading=tuple(_reading(jobs, found, modules)))


def _sample(job: TensorJob, sources: Mapping[str, Source]) -> Sampled:
    inputs = [_read(slot, job.output, sources[slot.source]) for slot in job.inputs]
    base, models = (inputs[0], inputs[1:]) if job.base else (None, inputs)
    vectors = models if base is None else [model - base for model in models]
    size = _norm(base if base is not None else inputs[0])
    pairs = [found for a, b in combinations(vectors, 2) if (found := _cosine(a, b)) is not None]
    clashes = [found for a, b in combinations(vectors, 2) if (found := _conflict(a, b)) is not None]
    ends = _cosine(inputs[0], inputs[1])
    moved = base is not None and size > 0
    return Sampled(
        tensor=job.output.name,
        delta=float(np.mean([_norm(vector) for vector in vectors])) / size if moved else None,
        cosine=float(np.mean(pairs)) if pairs else None,
        conflict=float(np.mean(clashes)) if clashes and base is not None else None,
        lerp=ends > LERP_COSINE if ends is not None else None,
    )


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
    named = "norm" if re.search(r"norm", tensor) else None
    return named or next((kind for kind, form in MODULES if form.search(tensor)), "other")


def layer_of(tensor: str) -> int | None:
    """The layer a tensor stands in, or None outside the stack."""
    found = LAYER.search(tensor)
    return int(found.group(1)) if found else None


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
            delta=_mean(row.delta for row in members),
            cosine=_mean(row.cosine for row in members),
            conflict=_mean(row.conflict for row in members),
            lerp=_mean(None if row.lerp is None else float(row.lerp) for row in members),
        )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _reading(
    jobs: Sequence[TensorJob], found: Sequence[Sampled], modules: Sequence[Group]
) -> Iterable[str]:
    """Plain sentences for people who do not read tables of cosines."""
    cosine = _mean(row.cosine for row in found)
    conflict = _mean(row.conflict for row in found)
    lerp = _mean(None if row.lerp is None else float(row.lerp) for row in found)
    if not found:
        yield "every tensor is taken from one model: there is nothing to compare"
    elif not any(job.base for job in jobs):
        yield "without a base model the cosines are those of whole weights, not of what was learned"
    elif not any(row.delta for row in found):
        yield "where they were sampled, the models are equal to their base: is it the right base?"
    if conflict is not None and cosine is not None:
        if abs(cosine) < 0.1:
            yield "the task vectors are almost orthogonal: adding them interferes little"
        elif cosine > 0.6:
            yield "the task vectors point the same way: averaging loses little, adding overshoots"
        elif cosine < -0.1:
            yield "the task vectors pull against each other: expect the merge to forget"
        if conflict > 0.4:
            text = f"signs disagree at {100 * conflict:.0f} % of the positions two models changed"
            yield f"{text}: a method that elects signs (ties, dare_ties) is worth a try"
    if lerp is not None and lerp > 0.5:
        yield f"slerp is lerp on {100 * lerp:.0f} % of the tensors: their directions are that close"
    moved = [(group.delta, group.module) for group in modules if group.delta]
    if moved:
        delta, module = max(moved)
        yield f"fine-tuning moved the {module} tensors most, by {100 * delta:.1f} %"
