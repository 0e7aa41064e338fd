"""Recipe, headers and configs in; a plan, or every reason why there is none, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bot.checkpoint.tensor_spec import Dtype
from bot.methods.core.registry import Method
from bot.plan.budget import THROUGHPUT, budget
from bot.plan.compatibility import check_fit
from bot.plan.findings import Findings
from bot.plan.layer_slices import stretches
from bot.plan.merge_plan import Budget, Plan, TensorJob
from bot.plan.output_tensors import outline
from bot.plan.output_vocabulary import (
    Tokenization,
    check_rows,
    compare_vocabularies,
    tokenization,
)
from bot.plan.parent_model import Parent, ParentModel, examine
from bot.plan.parent_views import Views
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
    """Decide every output tensor, side file and cost; reads headers and side files only.

    ``dtype`` and ``out_dtype`` name the output's dtype (``out_dtype`` wins); arithmetic is float32
    whatever they say. Without either, each tensor keeps the dtype its first source stores.

    Args:
        recipe: a checked recipe.
        parents: a parent for each of the recipe's references.
        methods: the registered merge methods.
        throughput: bytes per second assumed for the time estimate.

    Raises:
        PlanError: the parents do not fit the recipe or each other; every problem at once.
    """
    findings = Findings()
    bodies = _examine_all(recipe, parents, findings)
    findings.raise_if_any(file=recipe.file)
    donor = bodies[recipe.base_model or _inputs(recipe)[0]]
    check_fit(list(bodies.values()), donor, findings)
    parts = stretches(recipe, methods[recipe.merge_method].signature, bodies, findings)
    tokens = _tokens(recipe, bodies, donor, findings)
    findings.raise_if_any(file=recipe.file)
    views = Views(bodies=bodies, choice=recipe.tokenizer, tokens=tokens, findings=findings)
    drafts = outline(parts, donor, sliced=bool(recipe.slices))
    heads = settle_heads(drafts, parts, donor, findings)
    jobs = _jobs(recipe, heads, views, methods, findings)
    check_scope(jobs, parts, methods, findings)
    if tokens is None:
        check_rows(jobs, donor, findings)
    facts = Facts(
        recipe=recipe,
        bodies=bodies,
        donor=donor,
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
    views: Views,
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
    return tuple(job for draft in heads.drafts if (job := maker.job(draft)) is not None)


def _tokens(
    recipe: Recipe, bodies: Mapping[ModelRef, ParentModel], donor: ParentModel, findings: Findings
) -> Tokenization | None:
    """The vocabulary the recipe asks for; without a wish, a look at whether the models agree."""
    if recipe.tokenizer:
        return tokenization(recipe.tokenizer, bodies, donor.parent.ref, findings)
    compare_vocabularies(list(bodies.values()), donor, findings)
    return None


def _budget(facts: Facts, views: Views, methods: Mapping[str, Method], throughput: float) -> Budget:
    remote = {body.parent.key for ref, body in facts.bodies.items() if not ref.is_local}
    adapted = {body.parent.key for ref, body in facts.bodies.items() if ref.lora}
    fetched = {key for key, view in views.sources.items() if view.parent in remote}
    costly = {
        key
        for key, view in views.sources.items()
        if view.alignment or view.parent in remote | adapted
    }
    return budget(facts.jobs, methods, views.specs, fetched, costly, throughput=throughput)


def _assemble(
    facts: Facts, views: Views, files: Mapping[str, bytes], findings: Findings, cost: Budget
) -> Plan:
    read = {slot.source for job in facts.jobs for slot in job.inputs}
    sources = {key: view for key, view in views.sources.items() if key in read}
    used = {view.alignment for view in sources.values()}
    return with_digest(
        Plan(
            jobs=tuple(facts.jobs),
            parents={body.parent.key: body.parent.source.id for body in facts.bodies.values()},
            sources=sources,
            files=files,
            budget=cost,
            dtype=facts.dtype,
            donor=facts.donor.parent.key,
            alignments={name: rows for name, rows in views.alignments.items() if name in used},
            warnings=tuple(findings.warnings),
        )
    )


def _examine_all(
    recipe: Recipe, parents: Mapping[ModelRef, Parent], findings: Findings
) -> dict[ModelRef, ParentModel]:
    bodies = {}
    for ref in recipe.references():
        body, problems = examine(parents[ref])
        findings.problems += problems
        if body is not None:
            bodies[ref] = body
    return bodies


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
