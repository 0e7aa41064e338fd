"""Checks that statistics of the whole model (``scope: model``) span the same models everywhere."""

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
    """Refuse slices of different models where a method's statistic spans the whole model.

    Such a method identifies a model by its position among a tensor's inputs. Every slice must
    therefore list the same models in the same order.
    """
    orders = dict.fromkeys(
        tuple(slice_input.model.label for slice_input in part.inputs) for part in parts
    )
    if len(orders) == 1:
        return
    job = next((job for job in jobs if _spans_the_model(job, methods)), None)
    if job is not None:
        listed = "; ".join(", ".join(labels) for labels in orders)
        findings.problem(
            f"{job.method} computes a statistic of the whole model (`scope: model`), but the "
            f"slices merge different models or list them in different orders: {listed}",
            hint="list the same models in the same order in every slice, or set `scope: tensor`",
        )


def _spans_the_model(job: TensorJob, methods: Mapping[str, Method]) -> bool:
    if job.method is None:
        return False
    method = methods[job.method]
    asked = method.reductions(method.arguments(job.parameters, len(job.models)))
    return any(reduction and reduction.scope == "model" for reduction in asked.values())
