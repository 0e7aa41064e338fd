"""The planner: makes a plan from a recipe and its parents' headers, or reports every problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bot.checkpoint.tensor_spec import Dtype
from bot.methods.core.registry import Method
from bot.plan.budget import THROUGHPUT, budget
from bot.plan.compatibility import check_fit
from bot.plan.findings import Findings
from bot.plan.layer_slices import output_slices
from bot.plan.merge_plan import Budget, Plan, TensorJob
from bot.plan.output_tensors import output_tensors
from bot.plan.output_vocabulary import (
    Tokenization,
    check_rows,
    compare_vocabularies,
    tokenization,
)
from bot.plan.parent_model import Parent, ParentModel, examine
from bot.plan.parent_views import ParentViews
from bot.plan.plan_json import with_digest
from bot.plan.side_files import Facts, side_files
from bot.plan.statistic_scope import check_scope
from bot.plan.tensor_jobs import JobMaker
from bot.plan.tied_heads import TiedTensors, settle_heads
from bot.recipe.recipe import ModelRef, Recipe


def make_plan(
    recipe: Recipe,
    parents: Mapping[ModelRef, Parent],
    methods: Mapping[str, Method],
    *,
    throughput: float = THROUGHPUT,
) -> Plan:
    """Plan every output tensor and side file and estimate the cost; reads headers and side files
    only.

    ``out_dtype``, else ``dtype``, is the output's dtype; arithmetic is always in float32. Without
    either, each tensor keeps the dtype of its first input.

    Args:
        recipe: a checked recipe.
        parents: a parent for each of the recipe's references.
        methods: the registered merge methods.
        throughput: bytes per second assumed for the time estimate.

    Raises:
        PlanError: the parents do not fit the recipe or each other; every problem at once.
    """
    findings = Findings()
    models = _examine_all(recipe, parents, findings)
    findings.raise_if_any(file=recipe.file)
    config_source = models[recipe.base_model or _inputs(recipe)[0]]
    check_fit(list(models.values()), config_source, findings)
    parts = output_slices(recipe, methods[recipe.merge_method].signature, models, findings)
    tokens = _tokens(recipe, models, config_source, findings)
    findings.raise_if_any(file=recipe.file)
    views = ParentViews(models=models, choice=recipe.tokenizer, tokens=tokens, findings=findings)
    tensors = output_tensors(parts, config_source, sliced=bool(recipe.slices))
    heads = settle_heads(tensors, parts, config_source, findings)
    jobs = _jobs(recipe, heads, views, methods, findings)
    check_scope(jobs, parts, methods, findings)
    if tokens is None:
        check_rows(jobs, config_source, findings)
    facts = Facts(
        recipe=recipe,
        models=models,
        config_source=config_source,
        parts=parts,
        jobs=jobs,
        dtype=_main_dtype(jobs),
        tied=heads.tied,
        tokens=tokens,
    )
    files = side_files(facts, findings)
    findings.raise_if_any(file=recipe.file)
    return _assemble(facts, views, files, findings, _budget(facts, views, methods, throughput))


def _jobs(
    recipe: Recipe,
    heads: TiedTensors,
    views: ParentViews,
    methods: Mapping[str, Method],
    findings: Findings,
) -> tuple[TensorJob, ...]:
    maker = JobMaker(
        recipe=recipe,
        method=methods[recipe.merge_method],
        methods=methods,
        dtype=_dtype(recipe),
        view=views.view,
        findings=findings,
    )
    made = (maker.job(tensor) for tensor in heads.tensors)
    return tuple(job for job in made if job is not None)


def _tokens(
    recipe: Recipe,
    models: Mapping[ModelRef, ParentModel],
    config_source: ParentModel,
    findings: Findings,
) -> Tokenization | None:
    """The vocabulary that the recipe chooses; without a choice, compare the parents'."""
    if recipe.tokenizer:
        return tokenization(recipe.tokenizer, models, config_source.parent.ref, findings)
    compare_vocabularies(list(models.values()), config_source, findings)
    return None


def _budget(
    facts: Facts, views: ParentViews, methods: Mapping[str, Method], throughput: float
) -> Budget:
    remote = {model.parent.key for ref, model in facts.models.items() if not ref.is_local}
    adapted = {model.parent.key for ref, model in facts.models.items() if ref.lora}
    fetched = {key for key, view in views.sources.items() if view.parent in remote}
    costly = {
        key
        for key, view in views.sources.items()
        if view.alignment or view.parent in remote | adapted
    }
    return budget(facts.jobs, methods, views.specs, fetched, costly, throughput=throughput)


def _assemble(
    facts: Facts, views: ParentViews, files: Mapping[str, bytes], findings: Findings, cost: Budget
) -> Plan:
    read = {slot.source for job in facts.jobs for slot in job.inputs}
    sources = {key: view for key, view in views.sources.items() if key in read}
    used = {view.alignment for view in sources.values()}
    return with_digest(
        Plan(
            jobs=tuple(facts.jobs),
            parents={model.parent.key: model.parent.source.id for model in facts.models.values()},
            sources=sources,
            files=files,
            budget=cost,
            dtype=facts.dtype,
            config_source=facts.config_source.parent.key,
            alignments={name: rows for name, rows in views.alignments.items() if name in used},
            warnings=tuple(findings.warnings),
        )
    )


def _examine_all(
    recipe: Recipe, parents: Mapping[ModelRef, Parent], findings: Findings
) -> dict[ModelRef, ParentModel]:
    models = {}
    for ref in recipe.references():
        model, problems = examine(parents[ref])
        findings.problems += problems
        if model is not None:
            models[ref] = model
    return models


def _inputs(recipe: Recipe) -> list[ModelRef]:
    parts = recipe.slices or ()
    listed = recipe.models or tuple(source for part in parts for source in part.sources)
    return [entry.model for entry in listed]


def _dtype(recipe: Recipe) -> Dtype | None:
    name = recipe.out_dtype or recipe.dtype
    return Dtype.from_torch_name(name) if name else None


def _main_dtype(jobs: Sequence[TensorJob]) -> Dtype:
    """The dtype that most bytes of the output have."""
    sizes: Counter[Dtype] = Counter()
    for job in jobs:
        if job.output.dtype.mergeable:
            sizes[job.output.dtype] += job.output.nbytes
    return sizes.most_common(1)[0][0] if sizes else Dtype.F32
