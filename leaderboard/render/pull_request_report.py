"""The report under a pull request: the verdict within the first lines, all else folded away."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.number_format import (
    attempts,
    half_width,
    interval,
    memory,
    moment,
    parameters,
    points,
    signed,
)
from leaderboard.record import Record
from leaderboard.record_provenance import Parent
from leaderboard.record_results import Comparison, SuiteResult, TaskDifference
from leaderboard.render.ancestry_tree import lineage_markdown, lineage_mermaid
from leaderboard.render.escape import (
    markdown,
    markdown_block,
    markdown_code,
    markdown_link,
    terminal,
)
from leaderboard.verdict import Verdict, VerdictDetail, best_parent, judge, sentence

MARKER = "<!-- mergebot:report v1 -->"
LIMIT = 60_000
SHORT_TASKS = 5


@dataclass(frozen=True, kw_only=True)
class ReportLinks:
    """Where the report leads; what is None is left out."""

    page: str | None = None
    compare: str | None = None
    log: str | None = None
    recipe_path: str | None = None
    commit: str | None = None


def report_markdown(record: Record, *, links: ReportLinks | None = None) -> str:
    """The whole comment, never longer than GitHub takes; folded parts go first."""
    links = links or ReportLinks()
    suite = next(iter(record.suites), None)
    judgement = judge(record, suite)
    head = [MARKER, f"### {markdown(sentence(judgement, record.name))}", ""]
    if suite and suite.comparisons:
        head += [*score_table(record, suite, limit=SHORT_TASKS), ""]
    head += [f"- {markdown(note)}" for note in judgement.notes]
    head += ["", _facts_line(record, judgement, links)]
    foot = f"<sub>{_foot(record, links)}</sub>"
    folded = _folded(record, suite, links)
    while folded and len("\n".join([*head, *folded, foot])) > LIMIT:
        folded.pop()
    text = "\n".join([*head, "", *folded, foot])
    return (text if len(text) <= LIMIT else text[: LIMIT - 1] + "…") + "\n"


def score_table(record: Record, suite: SuiteResult, *, limit: int | None = None) -> list[str]:
    """Headline and tasks against every parent, best parent first, as lines of Markdown."""
    parents = _parents_in_order(record, suite)
    best = best_parent(suite)
    key = record.model_digest or ""
    names = " | ".join(markdown(parent.name) for parent in parents)
    lines = [
        f"| | this | {names} | Δ best parent |",
        "|---|" + "---:|" * (1 + len(parents)) + "---|",
    ]
    scores = [suite.headline.get(model) for model in (key, *(parent.key for parent in parents))]
    cells = [
        f"{points(score.value)} {half_width(score.low, score.high)}" if score else points(None)
        for score in scores
    ]
    lines.append(
        f"| **Score** | **{cells[0]}** | {' | '.join(cells[1:])} | **{_difference(best)}** |"
    )
    differences = {row.task: row for row in best.tasks}
    for task in suite.tasks[:limit]:
        found = [task.scores.get(model) for model in (key, *(parent.key for parent in parents))]
        values = " | ".join(points(score.value if score else None) for score in found)
        shown = _task_difference(differences.get(task.task))
        lines.append(f"| {markdown(task.title)} | {values} | {shown} |")
    return lines


def _parents_in_order(record: Record, suite: SuiteResult) -> Sequence[Parent]:
    first = best_parent(suite).parent
    scored = [parent for parent in record.parents if parent.key in suite.headline]
    return sorted(scored, key=lambda parent: parent.key != first)


def _difference(best: Comparison) -> str:
    overall = best.overall
    return f"{signed(overall.delta)} {interval(overall.low, overall.high)}"


def _task_difference(row: TaskDifference | None) -> str:
    if row is None:
        return points(None)
    symbol = "▲" if row.low > 0 else "▼" if row.high < 0 else "?"
    return f"{symbol} {signed(row.delta)} {interval(row.low, row.high)}"


def _facts_line(record: Record, judgement: VerdictDetail, links: ReportLinks) -> str:
    parts = []
    hard = [check for check in record.checks if check.hard]
    if hard:
        failed = [check.name for check in hard if not check.passed]
        parts.append(f"Checks: {'failed: ' + markdown(', '.join(failed)) if failed else 'passed'}")
    if record.attempts:
        parts.append(f"{attempts(record.attempts.count)} in {markdown(record.attempts.family)}")
    if judgement.verdict is Verdict.FAILED:
        parts.append("nothing was published")
    for url, label in ((links.page, "model page"), (links.compare, "compare"), (links.log, "log")):
        if url:
            parts.append(markdown_link(url, label))
    if record.publication:
        parts.append(markdown_link(record.publication.url, "weights"))
    return " · ".join(parts)


def _folded(record: Record, suite: SuiteResult | None, links: ReportLinks) -> list[str]:
    """The folded parts, least important last."""
    parts = []
    if suite and suite.comparisons and len(suite.tasks) > SHORT_TASKS:
        table = "\n".join(score_table(record, suite))
        parts.append(_details(f"All {len(suite.tasks)} tasks", table))
    parts.append(_details("Reproduce", _reproduction(record, links)))
    if record.lineage.nodes:
        diagram = lineage_mermaid(record.lineage)
        shown = (
            markdown_block(diagram, "mermaid")
            if diagram
            else lineage_markdown(record.lineage, record.name)
        )
        parts.append(_details("Family tree", shown))
    parts.append(_details("Recipe", markdown_block(record.recipe.text, "yaml")))
    return parts


def _reproduction(record: Record, links: ReportLinks) -> str:
    path = links.recipe_path or f"{record.name}.yaml"
    commands = markdown_block(f"mergebot run {shlex.quote(terminal(path))}", "bash")
    facts = [f"{name} {version}" for name, version in sorted(record.versions.items())]
    if record.engine:
        cost = f"merged in {record.engine.seconds:.1f} s on {record.engine.device}"
        facts.append(f"{cost}, peak memory {memory(record.engine.peak_memory)}")
    if record.model:
        facts.append(f"{parameters(record.model.parameters)} parameters, {record.model.dtype}")
    keys = [f"run {record.run_key}", f"merge {record.merge_key}"]
    if record.model_digest:
        keys.append(f"weights {record.model_digest}")
    lines = [commands, "", markdown(" · ".join(facts)), ""]
    return "\n".join([*lines, *(f"- {markdown_code(key)}" for key in keys)])


def _foot(record: Record, links: ReportLinks) -> str:
    parts = [f"commit {markdown_code(links.commit)}"] if links.commit else []
    return " · ".join([*parts, f"finished {moment(record.created)}", "updated in place"])


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"
