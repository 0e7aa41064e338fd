"""The report under a pull request: the verdict within the first lines, all else folded away."""

from __future__ import annotations

import shlex
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
from leaderboard.record_results import SuiteResult, TaskDifference
from leaderboard.render.ancestry_tree import lineage_markdown, lineage_mermaid
from leaderboard.render.escape import (
    markdown,
    markdown_block,
    markdown_code,
    markdown_link,
    terminal,
)
from leaderboard.verdict import (
    Verdict,
    VerdictDetail,
    best_parent,
    judge,
    main_suite,
    sentence,
    with_identical_parent,
)
from leaderboard.verdict_notes import CHANGE_SYMBOLS, TASK_RULE, Change, task_changes

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


def report_markdown(
    record: Record, *, links: ReportLinks | None = None, required: str | None = None
) -> str:
    """The whole comment, never longer than GitHub takes; folded parts go first.

    Args:
        record: the run.
        links: where the report leads.
        required: the board's required suite, which the verdict is of.
    """
    links = links or ReportLinks()
    suite = main_suite(record, required)
    suite = with_identical_parent(record, suite) if suite else None
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
    best = best_parent(suite)
    shown = record.parent_names()
    parents = sorted(
        (key for key in shown if key in suite.headline),
        key=lambda key: (key != best.parent, shown[key]),
    )
    key = record.model_digest or ""
    names = " | ".join(markdown(shown[parent]) for parent in parents)
    lines = [
        f"| | this | {names} | Δ best parent |",
        "|---|" + "---:|" * (1 + len(parents)) + "---|",
    ]
    scores = [suite.headline.get(model) for model in (key, *parents)]
    cells = [
        f"{points(score.value)} {half_width(score.low, score.high)}" if score else points(None)
        for score in scores
    ]
    overall = _difference(judge(record, suite))
    lines.append(f"| **Score** | **{cells[0]}** | {' | '.join(cells[1:])} | **{overall}** |")
    differences = {row.task: row for row in best.tasks}
    changes = task_changes(best)
    for task in suite.tasks[:limit]:
        found = [task.scores.get(model) for model in (key, *parents)]
        values = " | ".join(points(score.value if score else None) for score in found)
        row = differences.get(task.task)
        difference = _task_difference(row, changes.get(task.task, "unclear"))
        lines.append(f"| {markdown(task.title)} | {values} | {difference} |")
    return [*lines, "", f"<sub>{TASK_RULE}</sub>"]


def _difference(judgement: VerdictDetail) -> str:
    return f"{signed(judgement.delta)} {interval(judgement.low, judgement.high)}"


def _task_difference(row: TaskDifference | None, change: Change) -> str:
    if row is None:
        return points(None)
    return f"{CHANGE_SYMBOLS[change]} {signed(row.delta)} {interval(row.low, row.high)}"


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
