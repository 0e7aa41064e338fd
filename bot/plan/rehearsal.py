"""Values that a method itself refuses are found while planning, not in the middle of a merge."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np

from bot.errors import PlanError
from bot.methods.apply import Inputs, apply
from bot.methods.block import Unit
from bot.methods.registry import Method
from bot.plan.findings import Findings
from bot.plan.model import TensorJob


def rehearse(jobs: Iterable[TensorJob], method: Method, findings: Findings) -> None:
    """Run an elementwise method once, on one element, for each set of values a plan holds.

    Weights that cancel where they must be normalised are a gradient's matter as much as a
    method's, so neither the recipe nor the signature alone can see them.
    """
    if method.unit is not Unit.GRAIN or method.stats or method.signature.stochastic:
        return
    element = np.ones(1, np.float32)
    tried: set[Hashable] = set()
    for job in jobs:
        values = (len(job.models), job.base is None, *sorted(job.parameters.items()))
        if job.method != method.name or values in tried:
            continue
        tried.add(values)
        inputs = Inputs(models=[element] * len(job.models), base=element if job.base else None)
        try:
            apply(method, inputs, job.parameters)
        except PlanError as error:
            for problem in error.problems():
                findings.problem(f"{job.output.name}: {problem.message}", hint=problem.hint)
