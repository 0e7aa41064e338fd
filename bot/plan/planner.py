"""Recipe, headers and configs in; a plan, or every reason why there is none, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bot.checkpoint.tensor import Dtype, TensorSpec
from bot.errors import CheckpointError
from bot.methods.registry import Method
from bot.plan.budget import THROUGHPUT, budget
from bot.plan.findings import Findings
from bot.plan.fit import check_fit
from bot.plan.jobs import JobMaker
from bot.plan.model import Plan, TensorJob, View
from bot.plan.outline import Draft, outline
from bot.plan.parent import Body, Parent, examine
from bot.plan.serialize import with_digest
from bot.plan.slices import Stretch, layer_map, stretches
from bot.plan.tied import TiedDrafts, settle_heads
from bot.recipe.model import ModelRef, Recipe
from bot.tokens.config import read_json_object, write_json
from bot.tokens.files import processor_files, tokenizer_files
from bot.tokens.output_config import Changes, Layer, output_config
from bot.tokens.tensors import embedding_rows


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
    method = methods[recipe.merge_method]
    parts = stretches(recipe, method.signature, bodies, findings)
    findings.raise_if_any(file=recipe.file)
    heads = settle_heads(outline(parts, donor, sliced=bool(recipe.slices)), findings)
    maker = JobMaker(
        recipe=recipe,
        method=method,
        methods=methods,
        dtype=_dtype(recipe),
        view=_as_it_is,
        findings=findings,
    )
    jobs = tuple(job for draft in heads.drafts if (job := maker.job(draft)) is not None)
    files = _files(recipe, donor, parts, heads, jobs, findings)
    findings.raise_if_any(file=recipe.file)
    views = {body.parent.key: View(parent=body.parent.key) for body in bodies.values()}
    specs = {
        (body.parent.key, name): spec
        for body in bodies.values()
        for name, spec in body.tensors.items()
    }
    remote = {body.parent.key for ref, body in bodies.items() if not ref.is_local}
    return with_digest(
        Plan(
            jobs=jobs,
            parents={body.parent.key: body.parent.source.id for body in bodies.values()},
            sources=views,
            files=files,
            budget=budget(jobs, methods, specs, remote, throughput=throughput),
            dtype=_main_dtype(jobs),
            donor=donor.parent.key,
            warnings=tuple(findings.warnings),
        )
    )


def _examine_all(
    recipe: Recipe, parents: Mapping[ModelRef, Parent], findings: Findings
) -> dict[ModelRef, Body]:
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


def _as_it_is(body: Body, spec: TensorSpec, draft: Draft) -> tuple[str, TensorSpec]:
    del draft
    return body.parent.key, spec


def _main_dtype(jobs: Sequence[TensorJob]) -> Dtype:
    """The dtype that most bytes of the output have."""
    sizes: Counter[Dtype] = Counter()
    for job in jobs:
        if job.output.dtype.mergeable:
            sizes[job.output.dtype] += job.output.nbytes
    return sizes.most_common(1)[0][0] if sizes else Dtype.F32


def _files(
    recipe: Recipe,
    donor: Body,
    parts: Sequence[Stretch],
    heads: TiedDrafts,
    jobs: Sequence[TensorJob],
    findings: Findings,
) -> dict[str, bytes]:
    layers = [Layer(config=body.config, index=index) for body, index in layer_map(parts)]
    changes = Changes(
        dtype=_main_dtype(jobs).torch_name,
        layers=layers if recipe.slices else None,
        vocabulary=embedding_rows({job.output.name: job.output for job in jobs}),
        tied=heads.tied,
    )
    config, warnings = output_config(donor.config, changes)
    for warning in warnings:
        findings.warn(warning)
    files = {"config.json": write_json(config)}
    try:
        generation = read_json_object(
            donor.parent.source, "generation_config.json", donor.label, cap=1 << 20
        )
    except CheckpointError as error:
        findings.problem(error.message, hint=error.hint)
        generation = None
    if generation is not None:
        files["generation_config.json"] = write_json(generation)
    return files | tokenizer_files(donor.parent.source) | processor_files(donor.parent.source)
