"""Two to four models side by side, the first as the baseline."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from leaderboard.board import Board, Row
from leaderboard.compare_rows import RowComparison
from leaderboard.number_format import count_of, interval, p_value, points, signed
from leaderboard.record_results import Difference, Headline, Score
from leaderboard.render.escape import html, markdown
from leaderboard.render.flips_table import flips_html
from leaderboard.render.forest_plot import forest_lines, forest_plot
from leaderboard.render.html_parts import code, plain_table, score_html, section


def compare_html(versus: Sequence[RowComparison], board: Board) -> str:
    """Verdicts, the table of tasks, flips, and what differs in the recipes."""
    baseline = versus[0].baseline
    body = "".join(f'<p class="mb-verdict">{html(summary(pair))}</p>' for pair in versus)
    body += section("Tasks", _table(baseline, versus, board))
    for pair in versus:
        if pair.comparison is not None:
            body += section(f"{pair.row.name} against {baseline.name}", _pair(pair, board))
    recipes = "".join(_recipe_difference(baseline, pair.row) for pair in versus)
    return body + (section("Recipes", recipes) if recipes else "")


def compare_markdown(versus: Sequence[RowComparison], board: Board) -> str:
    """The same table as Markdown, to paste elsewhere."""
    baseline = versus[0].baseline
    names = [baseline.name, *(pair.row.name for pair in versus)]
    lines = [
        f"| Task | {' | '.join(markdown(name) for name in names)} |",
        "|---|" + "---:|" * len(names),
    ]
    for title, cells in _cells(baseline, versus, board):
        lines.append(f"| {markdown(title)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"- {markdown(summary(pair))}" for pair in versus)]) + "\n"


def summary(pair: RowComparison) -> str:
    """One sentence: who is ahead by how much over how many shared items, or why none can say."""
    name, other = pair.row.name, pair.baseline.name
    if pair.comparison is None:
        return f"○ {name} and {other} are not comparable: {pair.refusal}"
    overall = pair.comparison.overall
    symbol = "▲" if overall.low > 0 else "▼" if overall.high < 0 else "?"
    numbers = f"{signed(overall.delta)} {interval(overall.low, overall.high)}"
    ahead, clearly = pair.wins
    tasks = count_of(len(pair.comparison.tasks), "task")
    text = (
        f"{symbol} {name} against {other}: {numbers} over {overall.n:,} shared items,"
        f" {p_value(overall.p_two_sided)}; ahead on {ahead} of {tasks}, clearly on {clearly}"
    )
    left_out = f"; not compared: {', '.join(pair.missing)}" if pair.missing else ""
    return text + left_out


def _cells(
    baseline: Row, versus: Sequence[RowComparison], board: Board
) -> list[tuple[str, list[str]]]:
    """Title and plain cells by task, the headline first."""
    overall = [points(baseline.headline.value if baseline.headline else None)]
    overall += [
        _cell(pair.row.headline, pair.comparison.overall if pair.comparison else None)
        for pair in versus
    ]
    rows = [("Score", overall)]
    for task in board.tasks:
        base = baseline.tasks.get(task.task)
        cells = [points(base.value if base else None)]
        for pair in versus:
            tasks = pair.comparison.tasks if pair.comparison else ()
            found = next((row for row in tasks if row.task == task.task), None)
            cells.append(_cell(pair.row.tasks.get(task.task), found))
        rows.append((task.title, cells))
    return rows


def _cell(score: Score | Headline | None, difference: Difference | None) -> str:
    shown = points(score.value if score else None)
    if difference is None:
        return shown
    return f"{shown} ({signed(difference.delta)} {interval(difference.low, difference.high)})"


def _table(baseline: Row, versus: Sequence[RowComparison], board: Board) -> str:
    rows = [
        [html(title), *(html(cell) for cell in cells)]
        for title, cells in _cells(baseline, versus, board)
    ]
    if baseline.headline:
        rows[0][1] = score_html(baseline.headline)
    names = [f"{baseline.name} (baseline)", *(pair.row.name for pair in versus)]
    caption = "Scores, and in brackets the difference to the baseline"
    return plain_table(caption, ["Task", *names], rows)


def _pair(pair: RowComparison, board: Board) -> str:
    titles = {task.task: task.title for task in board.tasks}
    comparison = pair.comparison
    if comparison is None:
        return ""
    lines = forest_lines(comparison, titles)
    plot = forest_plot(lines, title=f"{pair.row.name} against {pair.baseline.name}")
    note = f'<p class="mb-warn">{html(pair.note)}</p>' if pair.note else ""
    return f'{note}<figure class="mb-scroll">{plot}</figure>{flips_html(pair, titles)}'


def _recipe_difference(baseline: Row, row: Row) -> str:
    if baseline.record is None or row.record is None:
        return ""
    lines = difflib.unified_diff(
        baseline.record.recipe.text.splitlines(),
        row.record.recipe.text.splitlines(),
        baseline.name,
        row.name,
        lineterm="",
    )
    return code("\n".join(lines) or "The recipes are the same.")
