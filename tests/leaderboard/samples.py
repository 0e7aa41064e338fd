"""Records and scores to test with; every number is made from scores by the program's own tests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from leaderboard.item_texts import ItemTexts
from leaderboard.record import (
    Attempts,
    Check,
    EngineFacts,
    Failure,
    FileFacts,
    License,
    Lineage,
    LineageEdge,
    LineageNode,
    Links,
    ModelFacts,
    Parent,
    Publication,
    RecipeFacts,
    Record,
    Settings,
    SuiteResult,
    TaskResult,
)
from leaderboard.sample_scores import TaskScores
from leaderboard.statistics.headline import headline
from leaderboard.statistics.intervals import task_score
from leaderboard.statistics.paired_comparison import compare_models, select_best

TASKS = ("reverse", "sort", "shift")
SETTINGS = Settings(
    backend="hf", dtype="float32", batch_size=32, max_length=64, seeds={"random": 0}
)
RECIPE = """\
merge_method: task_arithmetic
base_model: skills/base
models:
  - model: skills/sort
    parameters: {weight: 0.4}
"""


def scores_of(shares: Sequence[float], *, n: int = 200, seed: int = 0) -> dict[str, TaskScores]:
    """Right-or-wrong scores; the first ``share * n`` items of a fixed shuffle are right.

    Models are nested this way, as a merge and its parents are, and differ by their shares alone.
    """
    order = np.random.default_rng(seed).permutation(n)
    ids = tuple(range(n))
    return {
        task: TaskScores(
            task=task,
            metric="exact_match",
            binary=True,
            doc_ids=ids,
            doc_hashes=tuple(f"{task}{i}" for i in ids),
            target_hashes=tuple(f"t{i}" for i in ids),
            prompt_hashes=tuple(f"p{i}" for i in ids),
            scores=(order < round(share * n)).astype(float),
            capped=0.0,
        )
        for task, share in zip(TASKS, shares, strict=True)
    }


HOSTILE_TEXTS = (
    "<img src=x onerror=window.hacked=1>",
    "](javascript:alert(1)) **bold** `code`",
    "\u202eright to left\u202c and \u200bhidden שלום <b>عربى</b>",
    "line\n\n\nafter line",
    "w" * 400,
)


def in_words(scores: TaskScores, answer: str = "said", **texts: Any) -> TaskScores:
    """The scores with texts: by default words that name the item's place."""
    places = range(len(scores))
    columns: dict[str, Any] = {
        "questions": tuple(f"question {place}" for place in places),
        "expected": tuple(f"expected {place}" for place in places),
        "answers": tuple(f"{answer} {place}" for place in places),
    }
    return replace(scores, texts=ItemTexts(**(columns | texts)))


def suite_of(
    merge: Mapping[str, TaskScores],
    parents: Mapping[str, Mapping[str, TaskScores]],
    *,
    key: str = "merge",
    margin: float = 0.01,
    version: str = "1",
) -> SuiteResult:
    models = {key: merge, **parents}
    comparisons = tuple(
        compare_models(
            merge, scores, parent_key=name, margin=margin, draws=1_999, same_weights=name == key
        )
        for name, scores in parents.items()
    )
    tasks = [
        TaskResult(
            task=task,
            title=task.capitalize(),
            metric="exact_match",
            n=len(found),
            weight=1 / len(merge),
            scores={name: task_score(scores[task]) for name, scores in models.items()},
        )
        for task, found in merge.items()
    ]
    return SuiteResult(
        suite="skills",
        version=version,
        digest=f"sha-{version}",
        split="report",
        settings=SETTINGS,
        tasks=tuple(tasks),
        headline={name: headline(scores) for name, scores in models.items()},
        comparisons=comparisons,
        selection=select_best(models, comparisons),
    )


PARENTS: dict[str, tuple[float, float, float]] = {
    "base": (0.60, 0.60, 0.60),
    "sort-ft": (0.45, 0.95, 0.55),
}


def record_of(
    name: str = "steady",
    shares: Sequence[float] = (0.75, 0.85, 0.80),
    parents: Mapping[str, Sequence[float]] = PARENTS,
    **changes: object,
) -> Record:
    """A record whose numbers come from nested scores of these shares right."""
    plain = re.sub(r"\W+", "-", name).strip("-")
    key = f"digest-{plain}"
    suite = suite_of(
        scores_of(shares), {parent: scores_of(found) for parent, found in parents.items()}, key=key
    )
    fields: dict[str, object] = {
        "run_key": f"run-{plain}",
        "merge_key": f"merge-{plain}",
        "model_digest": key,
        "name": name,
        "title": f"The {name} merge",
        "description": "Adds what the fine-tunes learned to their base.",
        "authors": ("ada",),
        "license": License(id="apache-2.0", reasons=("all parents are apache-2.0",)),
        "created": "2026-11-22T09:14:00Z",
        "recipe": recipe(),
        "parents": tuple(parent(found) for found in parents),
        "lineage": lineage(name, tuple(parents)),
        "model": MODEL,
        "files": {"model.safetensors": FileFacts(sha256="ab" * 32, size=842_112)},
        "versions": {"mergebot": "0.1.0", "lm-eval": "0.4.13"},
        "machine": {"cpu": "x86_64, 2 cores"},
        "engine": EngineFacts(seconds=1.5, peak_memory=210_000_000, threads=2),
        "checks": (Check(name="finite", hard=True, passed=True, detail="all weights are finite"),),
        "suites": (suite,),
        "attempts": Attempts(family="skills", count=3),
        "links": Links(recipe="https://example.org/recipe.yaml"),
        "publication": Publication(
            repo=f"org/{name}", commit="3f2a91c", url=f"https://huggingface.co/org/{name}"
        ),
    }
    return Record.model_validate(fields | changes)


def failed_record(name: str = "broken") -> Record:
    return Record(
        run_key=f"run-{name}",
        merge_key=f"merge-{name}",
        name=name,
        created="2026-11-22T10:00:00Z",
        status="failed",
        failure=Failure(stage="check", message="layer 3: q_proj holds 12 NaN"),
        recipe=recipe(),
        parents=(parent("base"),),
        attempts=Attempts(family="skills", count=4),
    )


def recipe() -> RecipeFacts:
    return RecipeFacts(
        text=RECIPE,
        hash="rh",
        canonical_hash="ch",
        method="task_arithmetic",
        method_title="Task arithmetic",
        paper="arXiv:2212.04089",
        parameters="weight 0.4",
    )


def parent(key: str) -> Parent:
    is_base = key == "base"
    return Parent(
        key=key,
        name=key,
        ref=f"skills/{key}",
        revision="0a1b2c3d",
        role="base" if is_base else "model",
        relation="base" if is_base else "finetune",
        weight="" if is_base else "weight 0.4",
        license="apache-2.0",
        parameters=210_000,
        chat_template=not is_base,
    )


def lineage(name: str, parents: Sequence[str]) -> Lineage:
    children = [found for found in parents if found != "base"]
    nodes = [LineageNode(id="base", name="base", relation="base", license="apache-2.0")]
    nodes += [LineageNode(id=found, name=found, relation="finetune") for found in children]
    nodes.append(LineageNode(id=name, name=name, relation="merge", license="apache-2.0"))
    edges = [LineageEdge(source="base", target=found) for found in children]
    edges += [LineageEdge(source=found, target=name, label="0.4") for found in parents]
    return Lineage(nodes=tuple(nodes), edges=tuple(edges))


MODEL = ModelFacts(
    architecture="LlamaForCausalLM",
    parameters=210_000,
    dtype="float32",
    bytes=840_000,
    layers=4,
    hidden_size=64,
    vocab_size=96,
    context=128,
    chat_template="sort-ft",
    memory_bytes=1_008_000,
)
