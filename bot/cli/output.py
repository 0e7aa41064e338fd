"""``Output``: prints results on stdout, notes, progress and errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from json import dumps
from typing import IO, Any, Literal, TypeVar, cast

import click
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from bot.cli.error_report import Failure
from bot.cli.log_commands import WithoutLogCommands
from bot.cli.progress_bars import PlainProgress, Progress, TerminalProgress
from bot.events import Report, silent
from bot.recipe.render_problems import render_problem
from bot.recipe.untrusted_text import visible
from bot.redaction import Redacted

COLUMN_GAP = 2
NARROWEST_TEXT = 12
"""Characters of a text cell before it is folded; a wider table is not cut."""
F = TypeVar("F", bound=Callable[..., Any])


class Output:
    """Prints a command's result, notes, progress and errors.

    For people it prints text, for programs (``json``) exactly one JSON document on stdout and no
    notes. ``quiet`` leaves out notes and progress in both. Errors are always shown.
    """

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        color: bool = True,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
    ) -> None:
        self.json = json
        self.quiet = quiet
        self._out = _console(stdout or sys.stdout, color=color)
        self._err = _console(stderr or sys.stderr, color=color)
        self._progress: Progress | None = None

    @classmethod
    def from_flags(
        cls,
        arguments: Sequence[str],
        *,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
    ) -> Output:
        """Read the flags every command shares, so that even a usage error obeys them."""
        flags = list(arguments)[: list(arguments).index("--")] if "--" in arguments else arguments
        return cls(
            json="--json" in flags,
            quiet="--quiet" in flags or "-q" in flags,
            color="--no-color" not in flags,
            stdout=stdout,
            stderr=stderr,
        )

    def result(self, data: Any, text: str | Table | Sequence[str | Table]) -> None:
        """Print the result: ``data`` as JSON, or ``text`` for people."""
        if self.json:
            self._print_json(data)
            return
        for part in [text] if isinstance(text, str | Table) else text:
            _show(self._out, part)

    def table(
        self, rows: Sequence[Sequence[object]], columns: Sequence[str], *, right: Sequence[int] = ()
    ) -> Table:
        """A table of plain text cells; the columns whose index is in ``right`` are numbers.

        Number columns are never narrowed: a number without its last digits would be wrong.
        """
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, COLUMN_GAP, 0, 0))
        for index, column in enumerate(columns):
            number = index in right
            justify: Literal["left", "right"] = "right" if number else "left"
            widest = max((cell_len(visible(str(row[index]))) for row in rows), default=0)
            least = widest if number else min(widest, NARROWEST_TEXT)
            least = max(least, *map(cell_len, column.split()), 1)
            table.add_column(column, justify=justify, overflow="fold", min_width=least)
        for row in rows:
            table.add_row(*(Text(visible(str(cell))) for cell in row))
        return table

    def note(self, text: str) -> None:
        """Print a note on stderr."""
        if not (self.json or self.quiet):
            _show(self._err, text)

    def note_table(self, table: Table) -> None:
        """Print a table on stderr."""
        if not (self.json or self.quiet):
            _show(self._err, table)

    def print_error(self, text: str) -> None:
        """Print plain text on stderr in every mode."""
        _show(self._err, text)

    @property
    def report(self) -> Report:
        """The reporter to hand to a stage: bars on a terminal, plain lines elsewhere."""
        if self.quiet:
            return silent
        if self._progress is None:
            shown = self._err.is_terminal and not self.json
            self._progress = TerminalProgress(self._err) if shown else PlainProgress(self._err)
        return self._progress.report

    def fail(self, failure: Failure) -> int:
        """Show a failure and give its exit code."""
        self.close()
        if self.json:
            problems = [_problem_data(problem) for problem in failure.problems]
            data = {
                "error": failure.kind,
                "exit_code": failure.code,
                "problems": problems,
                "hint": failure.hint,
            }
            self._print_json(data)
            return failure.code
        hints = {problem.hint for problem in failure.problems}
        for problem in failure.problems:
            self._err.print(Text(render_problem(problem)), soft_wrap=True)
        if failure.hint and failure.hint not in hints:
            self._err.print(Text(f"hint: {failure.hint}"), soft_wrap=True)
        return failure.code

    def _print_json(self, data: Any) -> None:
        self._out.file.write(visible(dumps(data, indent=2, ensure_ascii=False)) + "\n")

    def close(self) -> None:
        """Remove progress bars that are still shown."""
        if self._progress is not None:
            self._progress.close()
            self._progress = None


def output_options(command: F) -> F:
    """Add the flags that every command has; ``Output.from_flags`` reads them."""
    for flag in reversed(
        [
            click.option("--json", "_json", is_flag=True, expose_value=False, help="Print JSON."),
            click.option("-q", "--quiet", is_flag=True, expose_value=False, help="No progress."),
            click.option("--no-color", is_flag=True, expose_value=False, help="No colours."),
        ]
    ):
        command = flag(command)
    return command


class _Plain(Console):
    """A console that escapes control codes in texts, which may be untrusted."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Escape characters that a terminal would interpret or hide."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


def _show(console: Console, part: str | Table) -> None:
    if isinstance(part, Table):
        least = sum((column.min_width or 0) + COLUMN_GAP for column in part.columns)
        part.width = least if least > console.width else None
    console.print(part, markup=False, soft_wrap=isinstance(part, str), crop=False)


def _console(stream: IO[str], *, color: bool) -> Console:
    # A pipe has no width: never cut a table's cell there.
    width = None if stream.isatty() else 400
    # Whatever is printed goes through one place that takes secrets and runner commands out.
    inert = WithoutLogCommands(cast("IO[str]", Redacted(stream)))
    return _Plain(
        file=cast("IO[str]", inert),
        no_color=None if color else True,
        highlight=False,
        emoji=False,  # a name may hold ``:x:``
        width=width,
    )


def _problem_data(problem: Any) -> Mapping[str, object]:
    return {
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "hint": problem.hint,
    }
