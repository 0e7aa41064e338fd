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
from leaderboard.statistics.multiple_testing import holm, two_sided_claim
from leaderboard.verdict import ALPHA, judge, sentence

MOST_GAINS = 4


def render_card(record: Record, page: Page = NOWHERE) -> str:
    """The text of ``README.md`` for a record.

    Args:
        record: the run; where it carries a retraction the card says so first.
        page: where the card stands.
    """
    front = dump_front_matter(front_matter(record, page))
    body = (
        _environment()
        .get_template("model_card.md.jinja")
        .render(
            record=record,
            page=page,
            title=record.name,
            verdict=sentence(judge(record), record.name),
            notes=[*gains(record), *judge(record).notes],
            suites=[suite_view(record, suite) for suite in record.suites],
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


def gains(record: Record) -> list[str]:
    """What the merge is good at: tasks its best parent loses, after Holm over the tasks."""
    found = []
    for suite in record.suites:
        best = judge(record, suite).best_parent
        rows = next((one.tasks for one in suite.comparisons if one.parent == best), ())
        titles = {task.task: task.title for task in suite.tasks}
        adjusted = holm([two_sided_claim(row.p_greater) for row in rows])
        sure = [row for row, p in zip(rows, adjusted, strict=True) if p < ALPHA]
        sure.sort(key=lambda row: -row.delta)
        found += [
            f"better on {titles[row.task]} ({number_format.signed(row.delta)})"
            for row in sure[:MOST_GAINS]
        ]
    return found


def suite_view(record: Record, suite: SuiteResult) -> dict[str, Any]:
    """One suite as rows of a Markdown table: this model, every parent, the best one's delta."""
    judgement = judge(record, suite)
    names = {parent.key: escape(parent.name) for parent in record.parents}
    best = next((c for c in suite.comparisons if c.parent == judgement.best_parent), None)
    order = [comparison.parent for comparison in suite.comparisons]
    deltas = {row.task: row for row in best.tasks} if best else {}
    digest = record.model_digest or ""
    rows = []
    for task in suite.tasks:
        cells = [_score(task.scores.get(key)) for key in [digest, *order]]
        rows.append([escape(task.title), f"{task.n:,}", *cells, _delta(deltas.get(task.task))])
    heads = [suite.headline.get(key) for key in [digest, *order]]
    whole = _delta(best.overall) if best else number_format.MISSING
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


def _delta(row: Any) -> str:
    if row is None:
        return number_format.MISSING
    return f"{number_format.signed(row.delta)} {number_format.interval(row.low, row.high)}"


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
