"""The card's metadata as the Hub reads it: ancestry, license, search tags, results.

A number stands in one place only: tasks that are official Hub benchmarks go to ``.eval_results/``
(`bot.lineage.hub_benchmarks`), everything else into ``model-index``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from bot.lineage.hub_benchmarks import is_official
from bot.recipe.model_reference import HUB_ID
from leaderboard.record import License, Record
from leaderboard.record_results import SuiteResult, TaskResult
from leaderboard.render.escape import web_address

HUB_TAGS = ("merge", "mergebot")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|multilingual|code")
PIPELINE = "text-generation"
ACCURACIES = {"acc": "accuracy", "acc_norm": "accuracy"}


@dataclass(frozen=True, kw_only=True)
class Page:
    """Where a card stands; a card in a workspace stands nowhere yet.

    Args:
        repo: ``org/name`` on the Hub.
        url: the repository's page.
        drawing: path of the family tree's drawing in the repository.
        report: where a reader reports the model.
        new_version: the repository that supersedes this one.
    """

    repo: str | None = None
    url: str | None = None
    drawing: str | None = None
    report: str | None = None
    new_version: str | None = None


NOWHERE = Page()


def front_matter(record: Record, page: Page = NOWHERE) -> dict[str, Any]:
    """The metadata; ``base_model`` names Hub models only, as the Hub expects."""
    license = record.license
    known = license is not None and license.id != "unknown"
    named = known and license is not None and license.id == "other"
    data: dict[str, Any] = {
        "base_model": _hub_models(record) or None,
        "base_model_relation": "merge",
        "new_version": page.new_version,
        "library_name": "transformers",
        "pipeline_tag": PIPELINE,
        "language": _languages(record) or None,
        "license": license.id if known and license else None,
        "license_name": license.name if named and license else None,
        "license_link": _first_link(license) if named and license else None,
        "tags": list(dict.fromkeys([*HUB_TAGS, record.recipe.method, *record.tags])),
        "model-index": model_index(record) or None,
    }
    return {key: _one_line(value) for key, value in data.items() if value is not None}


def dump_front_matter(data: dict[str, Any]) -> str:
    """The metadata as YAML, in the very form in which the client saves a card."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def model_index(record: Record) -> list[dict[str, Any]]:
    """The results as the Hub's widget reads them, in percent; empty without any."""
    results = [
        _result(record, suite, task)
        for suite in sorted(record.suites, key=lambda found: (found.suite, found.version))
        for task in suite.tasks
        if record.model_digest in task.scores and not is_official(suite, task)
    ]
    return [{"name": _words(record.name), "results": results}] if results else []


def _result(record: Record, suite: SuiteResult, task: TaskResult) -> dict[str, Any]:
    score = task.scores[record.model_digest or ""]
    metric = {
        "type": ACCURACIES.get(task.metric, task.metric),
        "value": round(100 * score.value, 2),
        "name": f"{task.metric}, {task.n} items",
    }
    return {
        "task": {"type": PIPELINE, "name": "Text Generation"},
        "dataset": {
            "name": _words(f"{suite.title or suite.suite}: {task.title}"),
            "type": f"mergebot-{suite.suite}",
            "config": task.task,
            "split": suite.split,
            "revision": suite.version,
        },
        "metrics": [metric],
    }


def _first_link(license: License) -> str | None:
    """The one address that the Hub's metadata takes; the page lists all."""
    links = [link for link in (license.link, *license.links) if web_address(link)]
    return links[0] if links else None


def _hub_models(record: Record) -> list[str]:
    """Every Hub repository that went in, adapters too, without revisions."""
    parts = [part for parent in record.parents if parent.url for part in parent.ref.split("+")]
    models = dict.fromkeys(part.split("@")[0] for part in parts)
    return [model for model in models if HUB_ID.fullmatch(model)]


def _languages(record: Record) -> list[str]:
    """The parents' languages, as far as they are codes."""
    said = [language for parent in record.parents for language in parent.languages]
    return [code for code in dict.fromkeys(said) if LANGUAGE.fullmatch(code)]


def _one_line(value: Any) -> Any:
    """A line break in a value could end the front matter early."""
    if isinstance(value, list):
        return [_one_line(item) for item in value]
    return _words(value) if isinstance(value, str) else value


def _words(text: str) -> str:
    return " ".join(text.split())
