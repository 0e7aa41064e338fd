"""The compare tab's page, and the same table as Markdown."""

from __future__ import annotations

from leaderboard.board import Row
from leaderboard.render.data import model_id
from leaderboard.render.escape import html, markdown
from leaderboard.render.forest import ForestLine, forest_plot
from leaderboard.render.pieces import code, plain_table, section
from leaderboard.wording import MISSING, interval, points, signed
from space_app.comparing import Compared, Delta, Versus, recipe_diff, suggestions
from space_app.live_board import Snapshot
from space_app.pages import address_of

Cell = tuple[str, str]
"""A style and a text."""


def compare_page(snapshot: Snapshot, compared: Compared | None) -> str:
    """The page: verdict per model, table, forest plots, flips, recipes."""
    if compared is None:
        return _page(_empty(snapshot))
    if compared.refusal or compared.baseline is None:
        return _page(f'<h1>Compare</h1><p class="mb-banner">{html(compared.refusal or "")}</p>')
    base = compared.baseline
    names = " and ".join(versus.row.name for versus in compared.others)
    parts = [f"<h1>{html(names)} against {html(base.name)}</h1>"]
    parts += [f"<p>{_sentence(versus)}</p>" for versus in compared.others]
    parts.append(section("Scores", _table(snapshot, compared) + _copy(snapshot, compared)))
    parts += [_forest(versus, base) for versus in compared.others if versus.tasks]
    parts += [_flips(versus, base) for versus in compared.others if versus.tasks]
    parts += [_recipes(base, versus.row) for versus in compared.others]
    return _page("".join(parts))


def compare_markdown(snapshot: Snapshot, compared: Compared) -> str:
    """The table as Markdown: the same cells."""
    rows = [[markdown(text) for _, text in row] for row in cells(snapshot, compared)]
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(snapshot: Snapshot, compared: Compared) -> list[list[Cell]]:
    """Headings, then overall and tasks: the baseline's score, then each model's with its delta."""
    base = compared.baseline
    assert base is not None  # noqa: S101 - a refused comparison has no table
    head = [("", "Task"), ("", base.name), *(("", versus.row.name) for versus in compared.others)]
    overall = [("", "Score"), ("", points(base.headline.value if base.headline else None))]
    overall += [_cell(_overall(one.row), one.overall) for one in compared.others]
    rows = [head, overall]
    for task in snapshot.board.tasks:
        row = [("", task.title), ("", _score(base, task.task))]
        for versus in compared.others:
            delta = next((one for one in versus.tasks if one.task == task.task), None)
            row.append(_cell(_score(versus.row, task.task), delta))
        rows.append(row)
    return rows


def tone(delta: Delta) -> tuple[str, str]:
    """Style and symbol of a difference by its interval."""
    if delta.low > 0:
        return "better", "▲"
    return ("worse", "▼") if delta.high < 0 else ("undetected", "?")


def _cell(score: str, delta: Delta | None) -> Cell:
    if delta is None:
        return "", f"{score} ({MISSING})"
    style, symbol = tone(delta)
    numbers = f"{signed(delta.delta)} {interval(delta.low, delta.high)}"
    return style, f"{score} {symbol} {numbers}"


def _table(snapshot: Snapshot, compared: Compared) -> str:
    head, *rows = cells(snapshot, compared)
    body = [
        [
            f'<span class="mb-{style}">{html(text)}</span>' if style else html(text)
            for style, text in row
        ]
        for row in rows
    ]
    caption = f"Differences are against {compared.baseline.name if compared.baseline else ''}"
    return plain_table(caption, [text for _, text in head], body)


def _copy(snapshot: Snapshot, compared: Compared) -> str:
    text = html(compare_markdown(snapshot, compared))
    return f'<button type="button" class="mb-button" data-copy="{text}">Copy as Markdown</button>'


def _sentence(versus: Versus) -> str:
    name = f'<a href="{address_of(versus.row)}">{html(versus.row.name)}</a>'
    if versus.overall is None:
        return f"{name}: {html(versus.reason or '')}"
    style, symbol = tone(versus.overall)
    won = sum(one.delta > 0 for one in versus.tasks)
    apart = sum(tone(one)[0] != "undetected" for one in versus.tasks)
    numbers = f"{signed(versus.overall.delta)} {interval(versus.overall.low, versus.overall.high)}"
    return (
        f'<strong class="mb-{style}">{symbol} {html(numbers)}</strong> {name} over'
        f" {versus.overall.n:,} shared items; higher on {won} of {len(versus.tasks)} tasks,"
        f" {apart} clearly apart"
    )


def _forest(versus: Versus, base: Row) -> str:
    lines = [
        ForestLine(label=one.title, delta=one.delta, low=one.low, high=one.high)
        for one in versus.tasks
    ]
    if versus.overall:
        one = versus.overall
        lines.append(
            ForestLine(label="Overall", delta=one.delta, low=one.low, high=one.high, strong=True)
        )
    title = f"{versus.row.name} against {base.name}"
    return section(title, f'<figure class="mb-scroll">{forest_plot(lines, title=title)}</figure>')


def _flips(versus: Versus, base: Row) -> str:
    rows = [
        [html(one.title), f"{one.gained:,}", f"{one.lost:,}", html(_examples(one))]
        for one in versus.tasks
        if one.gained is not None and one.lost is not None
    ]
    if not rows:
        return ""
    headings = ["Task", f"Only {versus.row.name}", f"Only {base.name}", "Items (first 5 each)"]
    caption = f"Items that only {versus.row.name} (+) or only {base.name} (−) got right"
    return section("Flips", plain_table(caption, headings, rows))


def _examples(one: Delta) -> str:
    if not one.gained_examples and not one.lost_examples:
        return MISSING
    gained = ", ".join(f"+{item}" for item in one.gained_examples)
    lost = ", ".join(f"−{item}" for item in one.lost_examples)
    return "; ".join(part for part in (gained, lost) if part)


def _recipes(base: Row, row: Row) -> str:
    difference = recipe_diff(base, row)
    if difference is None:
        return ""
    return section(f"Recipe of {row.name} against {base.name}'s", code(difference))


def _empty(snapshot: Snapshot) -> str:
    pairs = "".join(
        f'<li><a href="?tab=compare&amp;m={model_id(first.key)}&amp;m={model_id(second.key)}">'
        f"{html(second.name)} against {html(first.name)}</a></li>"
        for first, second in suggestions(snapshot.board)
    )
    listed = f"<p>For example:</p><ul>{pairs}</ul>" if pairs else ""
    return f"<h1>Compare</h1><p>Choose a baseline and one to three models.</p>{listed}"


def _score(row: Row, task: str) -> str:
    score = row.tasks.get(task)
    return points(score.value if score else None)


def _overall(row: Row) -> str:
    return points(row.headline.value if row.headline else None)


def _page(content: str) -> str:
    return f'<div class="mb mb-page">{content}</div>'
