"""Plans for tests, made by hand so that the engine is tested without the planner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.checkpoint.source import Source
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.plan.merge_plan import Budget, ParentView, Plan, Slot, TensorJob

NO_BUDGET = Budget(
    input_bytes=0, output_bytes=0, download_bytes=0, peak_memory_bytes=0, seconds=0.0
)


def plan_for(
    sources: Mapping[str, Source],
    method: str | None,
    parameters: Mapping[str, Any] | None = None,
    *,
    base: str | None = None,
    dtype: Dtype | None = None,
    digest: str = "plan",
    seed: int = 0,
    files: Mapping[str, bytes] | None = None,
) -> Plan:
    """Every tensor of the first source merged with its namesakes; integers are copied."""
    first = next(iter(sources))
    models = tuple(name for name in sources if name != base)
    jobs = []
    for name, spec in sources[first].tensors().items():
        merged = method if spec.dtype.mergeable else None
        slots = tuple(Slot(source=model, tensor=name) for model in models)
        jobs.append(
            TensorJob(
                output=TensorSpec(
                    name=name,
                    dtype=(dtype or spec.dtype) if merged else spec.dtype,
                    shape=spec.shape,
                ),
                method=merged,
                models=slots if merged else slots[:1],
                base=Slot(source=base, tensor=name) if base and merged else None,
                parameters=parameters or {},
                seed=seed,
            )
        )
    return Plan(
        jobs=tuple(jobs),
        parents={name: source.id for name, source in sources.items()},
        sources={name: ParentView(parent=name) for name in sources},
        files={"config.json": b"{}"} if files is None else files,
        budget=NO_BUDGET,
        dtype=dtype or Dtype.F32,
        config_source=first,
        digest=digest,
    )
