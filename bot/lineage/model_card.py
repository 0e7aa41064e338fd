"""The model card: metadata as the Hub reads it, and a page a visitor understands at a glance.

Rendered from the record alone, so the same record always gives the same card.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.lineage.front_matter import NOWHERE, Page, dump_front_matter, front_matter
from bot.lineage.license_terms import (
    attributions_of,
    duties_of,
    licenses_of,
    use_restrictions_of,
)
from leaderboard import number_format
from leaderboard.record import Record
from leaderboard.record_results import SuiteResult
from leaderboard.render.ancestry_tree import lineage_markdown
from leaderboard.render.escape import clean, markdown_block, markdown_link
from leaderboard.render.escape import markdown as escape
from leaderboard.verdict import judge, main_suite, sentence, with_identical_parent
from leaderboard.verdict_notes import CHANGE_SYMBOLS, TASK_RULE, task_changes


def render_card(record: Record, page: Page = NOWHERE, *, required: str | None = None) -> str:
    """The text of ``README.md`` for a record.

    Args:
        record: the run; where it carries a retraction the card says so first.
        page: where the card stands.
        required: the board's required suite, which the verdict is of.
    """
    judgement = judge(record, required=required)
    front = dump_front_matter(front_matter(record, page))
    body = (
        _environment()
        .get_template("model_card.md.jinja")
        .render(
            record=record,
            page=page,
            title=record.name,
            verdict=sentence(judgement, record.name),
            notes=judgement.notes,
            suites=[suite_view(record, suite) for suite in _required_first(record, required)],
            rule=TASK_RULE,
            lineage=lineage_markdown(record.lineage, record.name),
            recipe=markdown_block(record.recipe.text, "yaml"),
            duties=duties_of(licenses_of(record)),
            attributions=attributions_of(licenses_of(record)),
            restrictions=use_restrictions_of(licenses_of(record)),
            license_links=_license_links(record),
            attempts=number_format.attempts(record.attempts.count) if record.attempts else "",
            warnings=[check for check in record.checks if not check.passed],
        )
    )
    return f"---\n{front}---\n\n{body.strip()}\n"


def suite_view(record: Record, suite: SuiteResult) -> dict[str, Any]:
    """One suite as rows of a Markdown table: this model, every parent, the best one's delta."""
    suite = with_identical_parent(record, suite)
    judgement = judge(record, suite)
    names = {key: escape(name) for key, name in record.parent_names().items()}
    best = next((c for c in suite.comparisons if c.parent == judgement.best_parent), None)
    order = sorted(
        (comparison.parent for comparison in suite.comparisons),
        key=lambda key: (key != judgement.best_parent, names[key]),
    )
    deltas = {row.task: row for row in best.tasks} if best else {}
    changes = task_changes(best) if best else {}
    digest = record.model_digest or ""
    rows = []
    for task in suite.tasks:
        cells = [_score(task.scores.get(key)) for key in [digest, *order]]
        change = CHANGE_SYMBOLS[changes.get(task.task, "unclear")]
        delta = _delta(deltas.get(task.task), change)
        rows.append([escape(task.title), f"{task.n:,}", *cells, delta])
    heads = [suite.headline.get(key) for key in [digest, *order]]
    whole = _delta(judgement if judgement.delta is not None else None, judgement.symbol)
    rows.append(["**mean**", "", *(_score(head) for head in heads), whole])
    header = ["task", "n", "this model", *(names[key] for key in order), "against the best parent"]
    return {
        "suite": suite,
        "header": header,
        "rows": rows,
        "best": escape(judgement.best_parent_name or ""),
        "verdict": escape(sentence(judgement, record.name)),
    }


def _license_links(record: Record) -> list[str]:
    """The addresses of all licenses, as links that show where they lead."""
    license = record.license
    links = dict.fromkeys([license.link, *license.links]) if license else {}
    return [markdown_link(link, link) for link in links if link and link.startswith("https://")]


def _score(score: Any) -> str:
    if score is None:
        return number_format.MISSING
    half_width = number_format.half_width(score.low, score.high)
    return f"{number_format.points(score.value)} {half_width}".strip()


def _required_first(record: Record, required: str | None) -> list[SuiteResult]:
    """A record's suites by name, the one that the verdict is of first."""
    first = main_suite(record, required)
    return sorted(record.suites, key=lambda one: (one is not first, one.suite, one.version))


def _delta(row: Any, symbol: str) -> str:
    if row is None:
        return number_format.MISSING
    return f"{symbol} {number_format.signed(row.delta)} {number_format.interval(row.low, row.high)}"


class Ready(str):
    """Text that is Markdown already; everything else that a template prints is escaped."""

    __slots__ = ()


def _escaped(value: Any) -> str:
    return value if isinstance(value, Ready) else escape(str(value))


def _in_code(value: Any) -> Ready:
    """Text inside a code span or block: one line that cannot end it."""
    return Ready(" ".join(clean(str(value)).split()).replace("`", "'"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bot.lineage", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - `finalize` escapes for Markdown, not for HTML
        finalize=_escaped,
    )
    environment.filters["ready"] = Ready
    environment.filters["code"] = _in_code
    environment.filters["bytes"] = number_format.memory
    environment.filters["count"] = number_format.parameters
    environment.filters["points"] = number_format.points
    environment.filters["moment"] = number_format.moment
    return environment
