"""``mergebot suites``: what a merge can be evaluated on."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.output import Output, output_options
from bot.evaluation.suite_catalog import Suite
from bot.evaluation.suite_catalog import suite as load_suite
from bot.evaluation.suite_catalog import suites as all_suites


@click.command(
    epilog="""\b
Examples:
  mergebot suites
  mergebot suites skills

\b
Exit codes: 0 done, 2 usage, 9 no such suite. See docs/cli.md."""
)
@click.argument("name", required=False)
@output_options
@click.pass_obj
def suites(out: Output, name: str | None) -> None:
    """List the suites, or the tasks of one with metrics and settings."""
    if name is None:
        found = all_suites()
        rows = [
            [one.name, one.data.version, len(one.tasks), one.data.split, one.data.title]
            for one in found
        ]
        data = [one.data.model_dump(mode="json") for one in found]
        out.result(data, out.table(rows, ["suite", "version", "tasks", "split", "what it is"]))
        return
    one = load_suite(name)
    rows = [
        [task.name, task.metric, f"{task.lower_bound:g}", task.few_shot or 0, task.title]
        for task in one.tasks
    ]
    table = out.table(rows, ["task", "metric", "guessing", "shots", "what it is"])
    template = "on" if one.data.apply_chat_template else "off"
    settings = (
        f"{one.data.title}\n{one.data.description}\n\n"
        f"dtype {one.data.dtype}, batch size {one.data.batch_size}, at most "
        f"{one.data.max_length} tokens, chat template {template}"
    )
    fetched = ", ".join(dataset.repo for dataset in one.fetched())
    note = f"\nreads from the Hub: {fetched}" if fetched else "\nreads local files only"
    digest = {"digest": one.digest} if not fetched else {}
    out.result({**one.data.model_dump(mode="json"), **digest}, [settings, "", table, note])


def load_suites(names: tuple[str, ...], frozen: Path | None = None) -> tuple[Suite, ...]:
    """The suites of these names, each once.

    Raises:
        EvaluationError: there is no suite of that name.
    """
    found = tuple(load_suite(name) for name in dict.fromkeys(names))
    return tuple(one.with_frozen(frozen) for one in found) if frozen else found
