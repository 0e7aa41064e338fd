"""Whether a statistic of the whole model has one meaning over all slices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.methods.core.registry import Method
from bot.plan.findings import Findings
from bot.plan.layer_slices import OutputSlice
from bot.plan.merge_plan import TensorJob


def check_scope(
    jobs: Iterable[TensorJob],
    parts: Sequence[OutputSlice],
    methods: Mapping[str, Method],
    findings: Findings,
) -> None:
    """Refuse slices of different models where a method counts over the whole model.

    Such a method knows a model by its place among a tensor's sources, so in every slice the same
    models must have the same places.
    """
    seats = dict.fromkeys(tuple(seat.body.label for seat in part.seats) for part in parts)
    if len(seats) == 1:
        return
    job = next((job for job in jobs if _spans_the_model(job, methods)), None)
    if job is not None:
        listed = "; ".join(", ".join(labels) for labels in seats)
        findings.problem(
            f"{job.method} counts over the whole model (`scope: model`), but the slices merge "
            f"different models or list them in different orders: {listed}",
            hint="list the same models in the same order in every slice, or set `scope: tensor`",
        )


def _spans_the_model(job: TensorJob, methods: Mapping[str, Method]) -> bool:
    if job.method is None:
        return False
    method = methods[job.method]
    asked = method.reductions(method.arguments(job.parameters, len(job.models)))
    return any(reduction and reduction.scope == "model" for reduction in asked.values())
