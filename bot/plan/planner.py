"""The planner: makes a plan from a recipe and its parents' headers, or reports every problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.checkpoint.tensor_spec import Dtype
from bot.errors import PlanError, Problem
from bot.methods.core.registry import Method
from bot.plan.budget import ASSUMED, Resources, budget
from bot.plan.compatibility import check_fit
from bot.plan.findings import Findings
from bot.plan.layer_slices import output_slices
from bot.plan.merge_plan import Budget, Plan, TensorJob
from bot.plan.output_tensors import TensorPlan, output_tensors
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

MOST_TENSORS = 40_000
"""Output tensors and their inputs, of all variants: planning one takes about 30 microseconds.

A single merge may have more where its parents do: the limit is for recipes that multiply."""


@dataclass(kw_only=True)
class _Shared:
    """What all variants of a sweep have in common: everything but parameters.

    ``files`` are the output's side files, None until the first variant has been planned.
    """

    models: Mapping[ModelRef, ParentModel]
    config_source: ParentModel
    tokens: Tokenization | None
    views: ParentViews
    findings: Findings
    files: Mapping[str, bytes] | None = None


def make_plan(
    recipe: Recipe,
    parents: Mapping[ModelRef, Parent],
    methods: Mapping[str, Method],
    *,
    resources: Resources = ASSUMED,
) -> Plan:
    """Plan every output tensor and side file and estimate the cost; reads headers and side files
    only.

    ``out_dtype``, else ``dtype``, is the output's dtype; arithmetic is always in float32. Without
    either, each tensor keeps the dtype of its first input.

    Args:
        recipe: a checked recipe.
        parents: a parent for each of the recipe's references.
        methods: the registered merge methods.
        resources: what the merge will have: they decide its peak memory and its time.

    Raises:
        PlanError: the parents do not fit the recipe or each other; every problem at once.
    """
    (plan,) = make_plans([recipe], parents, methods, resources=resources)
    return plan


def make_plans(
    recipes: Sequence[Recipe],
    parents: Mapping[ModelRef, Parent],
    methods: Mapping[str, Method],
    *,
    resources: Resources = ASSUMED,
    sweep_at: tuple[int, int] | None = None,
) -> tuple[Plan, ...]:
    """Plan the variants of a sweep, which differ in parameters only.

    Headers, vocabularies and side files do not depend on parameters: they are read and made once.

    Args:
        recipes: the variants, at least one.
        parents: a parent for each of the recipe's references.
        methods: the registered merge methods.
        resources: what the merge will have: they decide its peak memory and its time.
        sweep_at: line and column of the sweep in the recipe's file.

    Raises:
        PlanError: the parents do not fit the recipe or each other, or the variants have too many
            tensors in all; every problem of any variant, each once.
    """
    shared = _share(recipes[0], parents)
    plans: list[Plan] = []
    found: dict[Problem, None] = {}
    for recipe in recipes:
        try:
            plans.append(_plan(recipe, shared, methods, resources))
        except PlanError as error:
            found.update(dict.fromkeys(error.problems()))
        if len(plans) == 1:
            _require_few(plans[0], recipe, len(recipes), sweep_at)
    if found:
        raise PlanError(found)
    return tuple(plans)


def _require_few(
    plan: Plan, recipe: Recipe, variants: int, sweep_at: tuple[int, int] | None
) -> None:
    """Refuse a sweep whose variants have too many tensors in all."""
    tensors, inputs = len(plan.jobs), sum(len(job.inputs) for job in plan.jobs)
    if variants == 1 or (tensors + inputs) * variants <= MOST_TENSORS:
        return
    line, column = sweep_at or (None, None)
    message = (
        f"{variants} variants x {tensors:,} tensors with {inputs:,} inputs are "
        f"{variants * (tensors + inputs):,} tensors to plan; the limit is {MOST_TENSORS:,}"
    )
    hint = f"list at most {max(1, MOST_TENSORS // (tensors + inputs))} variants in one recipe"
    found = Problem(message=message, file=recipe.file, line=line, column=column, hint=hint)
    raise PlanError([found])


def _share(recipe: Recipe, parents: Mapping[ModelRef, Parent]) -> _Shared:
    findings = Findings()
    models = _examine_all(recipe, parents, findings)
    findings.raise_if_any(file=recipe.file)
    config_source = models[recipe.base_model or _inputs(recipe)[0]]
    check_fit(list(models.values()), config_source, findings)
    tokens = _tokens(recipe, models, config_source, findings)
    views = ParentViews(models=models, choice=recipe.tokenizer, tokens=tokens, findings=findings)
    return _Shared(
        models=models, config_source=config_source, tokens=tokens, views=views, findings=findings
    )


def _plan(
    recipe: Recipe, shared: _Shared, methods: Mapping[str, Method], resources: Resources
) -> Plan:
    findings, source = shared.findings.copy(), shared.config_source
    signature = methods[recipe.merge_method].signature
    parts = output_slices(recipe, signature, shared.models, findings)
    findings.raise_if_any(file=recipe.file)
    listed = output_tensors(parts, source, sliced=bool(recipe.slices))
    tensors = _limited(listed, shared.models.values(), recipe)
    heads = settle_heads(tensors, parts, source, findings)
    views = replace(shared.views, findings=findings)
    jobs = _jobs(recipe, heads, views, methods, findings)
    check_scope(jobs, parts, methods, findings)
    if shared.tokens is None:
        check_rows(jobs, source, findings)
    facts = Facts(
        recipe=recipe,
        models=shared.models,
        config_source=source,
        parts=parts,
        jobs=jobs,
        dtype=_main_dtype(jobs),
        tied=heads.tied,
        tokens=shared.tokens,
    )
    if shared.files is None:
        shared.files = side_files(facts, shared.findings)
        findings.take(shared.findings)
    findings.raise_if_any(file=recipe.file)
    return _assemble(
        facts, views, shared.files, findings, _budget(facts, views, methods, resources)
    )


def _limited(
    tensors: Iterator[TensorPlan], models: Collection[ParentModel], recipe: Recipe
) -> list[TensorPlan]:
    """All output tensors.

    Raises:
        PlanError: they and their inputs are more than the parents' tensors and than the limit.
    """
    limit = max(MOST_TENSORS, 2 * sum(len(model.tensors) for model in models))
    listed: list[TensorPlan] = []
    count = 0
    for tensor in tensors:
        listed.append(tensor)
        count += 1 + len(tensor.inputs)
        if count > limit:
            message = (
                f"the slices make more than {limit:,} output tensors and inputs; "
                "this is the limit for these parents"
            )
            hint = "list fewer slices, or shorter layer ranges"
            raise PlanError([Problem(message=message, file=recipe.file, hint=hint)])
    return listed


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
    facts: Facts, views: ParentViews, methods: Mapping[str, Method], resources: Resources
) -> Budget:
    remote = {model.parent.key for ref, model in facts.models.items() if not ref.is_local}
    adapted = {model.parent.key for ref, model in facts.models.items() if ref.lora}
    fetched = {key for key, view in views.sources.items() if view.parent in remote}
    costly = {
        key
        for key, view in views.sources.items()
        if view.alignment or view.parent in remote | adapted
    }
    return budget(facts.jobs, methods, views.specs, fetched, costly, resources)


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
