"""Statistics that span the model: made for every tensor before the first one is merged."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from bot.engine.tensor_statistics import Folding
from bot.engine.tensor_work import MergedTensor
from bot.engine.worker_pool import Task, TensorBatch, Work, run, window
from bot.methods.core.reduction import Reduction, Stat
from bot.plan.merge_plan import TensorJob

Answers = dict[str, dict[str, Stat]]
"""Output tensor -> statistic's name -> statistic."""
Asker = tuple[Answers, Sequence[MergedTensor]]
"""The tensors of one model that are merged alike, and where their statistics go."""


def model_statistics(models: Sequence[Sequence[MergedTensor]], workers: int) -> list[Answers]:
    """For every model, all statistics of model scope that its tensors' methods ask for.

    A statistic ranges over all tensors of a model that are merged by the same method from as many
    models. Tensors share their passes, and so do models that are made of the same inputs, as the
    variants of a sweep are: equal questions are answered once.
    """
    answers: list[Answers] = [{} for _ in models]
    askers: dict[Hashable, list[Asker]] = {}
    for answer, tensors in zip(answers, models, strict=True):
        for group in _merged_alike(tensors):
            askers.setdefault(_what_is_read(group), []).append((answer, group))
    works = [Work("the statistics of the whole model", _scan(group)) for group in askers.values()]
    run(works, workers=workers, window=window(workers))
    return answers


def _merged_alike(tensors: Sequence[MergedTensor]) -> list[list[MergedTensor]]:
    groups: dict[Hashable, list[MergedTensor]] = {}
    for tensor in tensors:
        job = tensor.job
        groups.setdefault((job.method, len(job.models), job.base is not None), []).append(tensor)
    return list(groups.values())


def _what_is_read(tensors: Sequence[MergedTensor]) -> Hashable:
    """Equal where every statistic is: the same inputs in the same order, with the same draws."""
    contents = {key: source.id for key, source in tensors[0].context.sources.items()}

    def read(job: TensorJob) -> Hashable:
        inputs = tuple((contents[slot.source], slot.tensor) for slot in job.inputs)
        return job.method, job.base is not None, inputs, job.output, job.seed

    return tuple(read(tensor.job) for tensor in tensors)


def _scan(askers: Sequence[Asker]) -> Iterator[TensorBatch]:
    asked: dict[Reduction[Any], Reduction[Any]] = {
        reduction: reduction
        for _, tensors in askers
        for tensor in tensors
        for reduction in _of_model(tensor).values()
    }
    _, read = askers[0]
    first = read[0].job
    folding = Folding(asked, first.output, len(first.models))
    while folding.open:
        yield TensorBatch(_tasks(read, folding), folding.fold)
        folding.end_pass()
    for answers, tensors in askers:
        for tensor in tensors:
            answers[tensor.job.output.name] = {
                name: folding.answers[reduction] for name, reduction in _of_model(tensor).items()
            }


def _tasks(tensors: Sequence[MergedTensor], folding: Folding) -> Iterator[Task]:
    for tensor in tensors:
        for chunk in tensor.chunks():
            yield partial(tensor.scan, folding, chunk)


def _of_model(tensor: MergedTensor) -> Mapping[str, Reduction[Any]]:
    return {
        name: reduction
        for name, reduction in tensor.asked.items()
        if reduction is not None and reduction.scope == "model"
    }
