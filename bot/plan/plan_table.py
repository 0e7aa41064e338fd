"""A plan as table rows, for ``mergebot plan`` and its ``--json``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TypedDict

from bot.plan.merge_plan import Plan, Value


class TensorRow(TypedDict):
    """One output tensor; ``sources`` are ``parent:tensor``, the base first.

    ``parameters`` with one value per model are in the order of the sources without the base.
    """

    name: str
    dtype: str
    shape: list[int]
    bytes: int
    method: str
    sources: list[str]
    parameters: dict[str, Value]


class PlanDescription(TypedDict):
    """A whole plan for people and programs; sizes in bytes."""

    digest: str
    dtype: str
    config_source: str
    parents: dict[str, str]
    budget: dict[str, float]
    parameters: int
    files: list[str]
    warnings: list[str]
    tensors: list[TensorRow]


def describe_plan(plan: Plan) -> PlanDescription:
    """What the plan will do, tensor by tensor, and what it costs."""
    return PlanDescription(
        digest=plan.digest,
        dtype=plan.dtype.torch_name,
        config_source=plan.config_source,
        parents=dict(plan.parents),
        budget=asdict(plan.budget),
        parameters=sum(job.output.elements for job in plan.jobs),
        files=sorted(plan.files),
        warnings=list(plan.warnings),
        tensors=[
            TensorRow(
                name=job.output.name,
                dtype=job.output.dtype,
                shape=list(job.output.shape),
                bytes=job.output.nbytes,
                method=job.method or "copy",
                sources=[
                    f"{plan.sources[slot.source].parent}:{slot.tensor}" for slot in job.inputs
                ],
                parameters=dict(job.parameters),
            )
            for job in plan.jobs
        ],
    )
