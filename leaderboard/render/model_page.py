"""The page of one model, as HTML sections in the order a visitor asks."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from leaderboard.board import Board, Row
from leaderboard.number_format import (
    MISSING,
    interval,
    memory,
    moment,
    parameters,
    rank_range,
    signed,
)
from leaderboard.record import Record
from leaderboard.record_provenance import License, LineageNode
from leaderboard.record_results import Difference, SuiteResult
from leaderboard.render.ancestry_tree import lineage_list
from leaderboard.render.escape import html, html_link, terminal
from leaderboard.render.forest_plot import forest_lines, forest_plot
from leaderboard.render.html_parts import code, plain_table, score_html, section
from leaderboard.render.lineage_svg import lineage_svg
from leaderboard.render.parent_page import parent_html
from leaderboard.render.trust_checks import trust_checks
from leaderboard.verdict import (
    FLAG_SYMBOL,
    Verdict,
    VerdictDetail,
    best_parent,
    judge,
    main_suite,
    sentence,
    with_identical_parent,
)
from leaderboard.verdict_notes import CHANGE_SYMBOLS, TASK_RULE, Change, task_changes


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Where a model page leads to on its own board."""

    node: Callable[[LineageNode], str | None] = lambda _node: None
    row: Callable[[Row], str | None] = lambda _row: None


def model_html(row: Row, board: Board, *, pages: Pages | None = None) -> str:
    """Everything about one model; for parents what their children recorded of them."""
    pages = pages or Pages()
    record = row.record
    if record is None:
        return parent_html(row, board, page_of=pages.row)
    suite = next((s for s in record.suites if board.suite and s.digest == board.suite.digest), None)
    suite = suite or main_suite(record)
    sections = [_head(row, record), _verdict(row), _facts(row, record)]
    suite = with_identical_parent(record, suite) if suite else None
    if suite and suite.comparisons:
        judgement = judge(record, suite)
        table = task_table(record, suite, judgement)
        sections.append(section("Scores", table + _forest(record, suite, judgement)))
    if record.lineage.nodes:
        tree = lineage_svg(record.lineage, record.name, page_of=pages.node)
        twin = lineage_list(record.lineage, record.name, page_of=pages.node)
        listed = f"<details><summary>The same as a list</summary>{twin}</details>"
        sections.append(section("Family tree", f'<div class="mb-scroll">{tree}</div>{listed}'))
    sections += [
        section("Recipe", code(record.recipe.text)),
        section("Make it again", _reproduction(record)),
        section("Use it", _usage(record)),
        section("Trust", trust_checks(record, suite, row.flags)),
        section("Run and files", _run(record)),
    ]
    return "".join(sections)


def task_table(record: Record, suite: SuiteResult, judgement: VerdictDetail) -> str:
    """Every task against every parent; differences are against the best one."""
    best = best_parent(suite)
    names = record.parent_names()
    parents = sorted(
        (key for key in names if key in suite.headline),
        key=lambda key: (key != best.parent, names[key]),
    )
    keys = [record.model_digest or "", *parents]
    differences = {row.task: row for row in best.tasks}
    changes = task_changes(best)
    rows = [
        [
            html(task.title),
            f"{task.n:,}",
            *(score_html(task.scores.get(key)) for key in keys),
            _difference(differences.get(task.task), changes.get(task.task, "unclear")),
        ]
        for task in suite.tasks
    ]
    overall = best.overall
    total = [score_html(suite.headline.get(key)) for key in keys]
    rows.insert(0, ["Score", f"{overall.n:,}", *total, _overall(judgement)])
    headings = ["Task", "Items", "This", *(names[key] for key in parents), "Δ best parent"]
    table = plain_table(f"Scores on {suite.title or suite.suite} {suite.version}", headings, rows)
    return f'{table}<p class="mb-muted">{html(TASK_RULE)}</p>'


def verdict_html(judgement: VerdictDetail, name: str) -> str:
    """The verdict sentence with its notes."""
    notes = "".join(f"<li>{html(note)}</li>" for note in judgement.notes)
    listed = f'<ul class="mb-notes">{notes}</ul>' if notes else ""
    return (
        f'<p class="mb-verdict mb-{judgement.slug}">{html(sentence(judgement, name))}</p>{listed}'
    )


def _head(row: Row, record: Record) -> str:
    links = []
    if record.publication:
        links.append(html_link(record.publication.url, "Weights"))
    if record.links.pull_request:
        links.append(html_link(record.links.pull_request, "Pull request"))
    if record.links.recipe:
        links.append(html_link(record.links.recipe, "Recipe file"))
    ranks = rank_range(row.rank_low, row.rank_high)
    standing = f"rank {ranks}" if row.rank_low else row.status
    line = " · ".join([html(standing), *links])
    description = f"<p>{html(record.description)}</p>" if record.description else ""
    is_telling = record.title and record.title != record.name
    title = f'<p class="mb-muted">{html(record.title or "")}</p>' if is_telling else ""
    return f'<h1 tabindex="-1">{html(row.name)}</h1>{title}<p>{line}</p>{description}'


def _verdict(row: Row) -> str:
    judgement = row.judgement or VerdictDetail(verdict=Verdict.PENDING)
    body = verdict_html(judgement, row.name)
    if judgement.verdict is Verdict.BETTER:
        body += f'<p class="mb-muted">{html(_standing(row, judgement))}</p>'
    if row.record and row.record.retraction:
        retraction = row.record.retraction
        body += (
            f'<p class="mb-worse">Retracted on {html(moment(retraction.created))} by'
            f" {html(retraction.by)}: {html(retraction.reason)}</p>"
        )
    for flag in row.flags:
        path = " → ".join(flag.path)
        evidence = html_link(flag.url, "evidence") if flag.url else ""
        body += (
            f'<p class="mb-flag">{FLAG_SYMBOL} {html(flag.kind)}: {html(flag.reason)}'
            f' <span class="mb-muted">{html(path)}</span> {evidence}</p>'
        )
    return body


def _facts(row: Row, record: Record) -> str:
    model = record.model
    template = (model.chat_template or "none: it continues text") if model else MISSING
    license = record.license
    facts = [
        (
            "Size",
            f"{parameters(row.parameters)} parameters" + (f", {model.dtype}" if model else ""),
        ),
        ("Method", record.recipe.method_title),
        ("Parents", ", ".join(row.parents) or MISSING),
        ("License", license.id if license else "unknown"),
        ("Chat template", template),
        ("Memory to run", memory(row.memory_bytes)),
    ]
    items = "".join(
        f"<div><dt>{html(term)}</dt><dd>{html(text)}</dd></div>" for term, text in facts
    )
    return f'<dl class="mb-facts">{items}</dl>{_license(license) if license else ""}'


def _license(license: License) -> str:
    """What the license was derived from, folded, and its conflicts, open."""
    conflicts = "".join(f'<p class="mb-warn">⚠ {html(text)}</p>' for text in license.conflicts)
    reasons = "".join(f"<li>{html(text)}</li>" for text in license.reasons)
    if not reasons:
        return conflicts
    return f"{conflicts}<details><summary>Why this license</summary><ul>{reasons}</ul></details>"


def _forest(record: Record, suite: SuiteResult, judgement: VerdictDetail) -> str:
    best = best_parent(suite)
    name = record.parent_names()[best.parent]
    titles = {task.task: task.title for task in suite.tasks}
    ends = (judgement.low or 0.0, judgement.high or 0.0)
    plot = forest_plot(
        forest_lines(best, titles, overall=ends), title=f"{record.name} against {name}"
    )
    caption = f"Points against {html(name)}, with 95 % intervals."
    return f'<figure class="mb-scroll">{plot}<figcaption>{caption}</figcaption></figure>'


def _difference(row: Difference | None, change: Change) -> str:
    if row is None:
        return MISSING
    tone = "undetected" if change == "unclear" else change
    numbers = f"{signed(row.delta)} {interval(row.low, row.high)}"
    return f'<span class="mb-{tone}">{CHANGE_SYMBOLS[change]} {numbers}</span>'


def _overall(judgement: VerdictDetail) -> str:
    numbers = f"{signed(judgement.delta)} {interval(judgement.low, judgement.high)}"
    return f'<span class="mb-{judgement.slug}">{judgement.symbol} {numbers}</span>'


def _standing(row: Row, judgement: VerdictDetail) -> str:
    """How far the claim is shown, on this board."""
    if row.holds:
        return "This holds after correction for all attempts of the board."
    if judgement.attempts is None:
        return "This is provisional: the number of attempts is unknown."
    return "This is provisional: it does not hold after correction for all attempts of the board."


def _reproduction(record: Record) -> str:
    commands = [f"mergebot merge {shlex.quote(terminal(record.name))}.yaml OUT"]
    if record.publication:
        commands.append(f"mergebot verify {shlex.quote(terminal(record.publication.repo))}")
    return code("\n".join(commands))


def _usage(record: Record) -> str:
    if record.publication is None:
        return "<p>Its weights are not published.</p>"
    return code(
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        f"name = {terminal(record.publication.repo)!r}\n"
        "model = AutoModelForCausalLM.from_pretrained(name)\n"
        "tokenizer = AutoTokenizer.from_pretrained(name)"
    )


def _run(record: Record) -> str:
    rows = [["Run", html(record.run_key)], ["Merge", html(record.merge_key)]]
    rows.append(["Weights", html(record.model_digest or MISSING)])
    rows.append(["Finished", html(moment(record.created))])
    if record.engine:
        cost = f"{record.engine.seconds:.1f} s, peak memory {memory(record.engine.peak_memory)}"
        rows.append(["Merged in", html(f"{cost}, {record.engine.threads} threads")])
    rows += [[html(name), html(version)] for name, version in sorted(record.versions.items())]
    rows += [[html(name), html(value)] for name, value in sorted(record.machine.items())]
    body = plain_table("How it was made", ["What", "Value"], rows, numeric=False)
    if record.files:
        files = [
            [html(path), html(memory(file.size)), f"<code>{file.sha256[:16]}…</code>"]
            for path, file in sorted(record.files.items())
        ]
        body += plain_table("Files", ["File", "Size", "sha256"], files, numeric=False)
    return body
