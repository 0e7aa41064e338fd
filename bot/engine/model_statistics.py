"""Statistics that span the model: made for every tensor before the first one is merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from bot.engine.pool import Task, Wave, Work, run, window
from bot.engine.statistics import Folding
from bot.engine.tensor_work import Merged
from bot.methods.reduction import Reduction, Stat

Answers = dict[str, dict[str, Stat]]
"""Output tensor -> statistic's name -> statistic."""
Group = tuple[str | None, int, bool]


def model_statistics(tensors: Sequence[Merged], workers: int) -> Answers:
    """Every statistic of model scope that these tensors' methods ask for.

    A statistic ranges over all tensors that are merged by the same method from as many models.
    Equal questions of different tensors are answered once; all of them share their passes.
    """
    groups: dict[Group, list[Merged]] = {}
    for tensor in tensors:
        job = tensor.job
        groups.setdefault((job.method, len(job.models), job.base is not None), []).append(tensor)
    answers: Answers = {}
    works = [
        Work("the statistics of the whole model", _scan(group, answers))
        for group in groups.values()
    ]
    run(works, workers=workers, window=window(workers))
    return answers


def _scan(tensors: Sequence[Merged], answers: Answers) -> Iterator[Wave]:
    asked: dict[Reduction[Any], Reduction[Any]] = {
        reduction: reduction for tensor in tensors for reduction in _of_model(tensor).values()
    }
    first = tensors[0].job
    folding = Folding(asked, first.output, len(first.models))
    while folding.open:
        yield Wave(_tasks(tensors, folding), folding.fold)
        folding.end_pass()
    for tensor in tensors:
        answers[tensor.job.output.name] = {
            name: folding.answers[reduction] for name, reduction in _of_model(tensor).items()
        }


def _tasks(tensors: Sequence[Merged], folding: Folding) -> Iterator[Task]:
    for tensor in tensors:
        for chunk in tensor.chunks():
            yield partial(tensor.scan, folding, chunk)


def _of_model(tensor: Merged) -> Mapping[str, Reduction[Any]]:
    return {
        name: reduction
        for name, reduction in tensor.asked.items()
        if reduction is not None and reduction.scope == "model"
    }
