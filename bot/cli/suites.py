"""``mergebot suites``: list, show and pin what a merge can be evaluated on."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.hub_connection import the_hub
from bot.cli.options import workspace_option
from bot.cli.output import Output, output_options
from bot.errors import UsageError
from bot.evaluation.chat_templates import with_chat_template
from bot.evaluation.dataset_access import DatasetAccess, pin_suite, pins_of, prepare_suite
from bot.evaluation.local_suite import is_local_suite, load_local_suite
from bot.evaluation.suite_catalog import PACKAGED, Suite
from bot.evaluation.suite_catalog import suite as load_suite
from bot.evaluation.suite_catalog import suites as all_suites
from bot.evaluation.suite_pins import pins_beside, write_pins
from bot.events import Report
from bot.pipeline.workspace import Workspace


@click.command(
    epilog="""\b
Examples:
  mergebot suites
  mergebot suites skills
  mergebot suites pin quick

`suites pin NAME` looks up the commits of the suite's datasets on the Hub and
writes them into the workspace; later evaluations there read those commits.

\b
Exit codes: 0 done, 2 usage, 6 disk, 9 no such suite, 11 the Hub, 12 no
access. See docs/cli.md."""
)
@click.argument("name", required=False, metavar="[NAME | pin NAME]")
@click.argument("pinned", required=False, metavar="")
@workspace_option
@click.option("--beside", is_flag=True, help="Write pins beside the suite's file instead.")
@output_options
@click.pass_obj
def suites(
    out: Output, name: str | None, pinned: str | None, workspace: Path, beside: bool
) -> None:
    """List the suites, show the tasks and settings of one, or pin its datasets."""
    if name == "pin" and pinned is not None:
        _pin(out, pinned, workspace, beside=beside)
        return
    if pinned is not None or name == "pin":
        raise UsageError(
            "give the name of one suite", hint="mergebot suites NAME, or mergebot suites pin NAME"
        )
    if name is None:
        found = all_suites()
        rows = [
            [one.name, one.data.version, len(one.tasks), one.data.split, one.data.title]
            for one in found
        ]
        data = [one.data.model_dump(mode="json") for one in found]
        out.result(data, out.table(rows, ["suite", "version", "tasks", "split", "what it is"]))
        return
    one = _named(name)
    rows = [
        [task.name, task.metric, f"{task.lower_bound:g}", task.few_shot or 0, task.title]
        for task in one.tasks
    ]
    table = out.table(rows, ["task", "metric", "guessing", "shots", "what it is"])
    template = "off"
    if one.data.apply_chat_template:
        template = "one for all models" if one.data.chat_template else "each model's own"
    settings = (
        f"{one.data.title}\n{one.data.description}\n\n"
        f"dtype {one.data.dtype}, batch size {one.data.batch_size}, at most "
        f"{one.data.max_length} tokens, chat template {template}"
    )
    fetched = {dataset.repo: dataset.revision or "not pinned" for dataset in one.fetched()}
    listed = ", ".join(f"{repo} ({commit[:12]})" for repo, commit in fetched.items())
    note = f"\nreads from the Hub: {listed}" if fetched else "\nreads local files only"
    digest = {"digest": one.digest} if "not pinned" not in fetched.values() else {}
    out.result({**one.data.model_dump(mode="json"), **digest}, [settings, "", table, note])


def load_suites(
    names: tuple[str, ...],
    frozen: Path | None = None,
    *,
    workspace: Path,
    report: Report,
    chat_template: str | None = None,
) -> tuple[Suite, ...]:
    """The suites of these names, each once, with their datasets pinned and on this disk.

    Args:
        names: packaged suites, or files of one's own.
        frozen: a folder of frozen copies of their datasets; then nothing is fetched.
        workspace: where pins and fetched datasets are stored.
        report: called with each dataset that is fetched.
        chat_template: which template prompts are put into, None as the suites say.

    Raises:
        EvaluationError: there is no suite of that name, or a dataset cannot be fetched.
        HubError: the Hub could not say what commit a dataset has.
        UsageError: there is no such chat template.
    """
    found = [_named(name) for name in dict.fromkeys(names)]
    if chat_template is not None:
        found = [with_chat_template(one, chat_template) for one in found]
    if frozen is not None:
        return tuple(one.with_frozen(frozen) for one in found)
    return tuple(
        prepare_suite(one, Workspace(workspace).evaluations, _access(), report)
        if one.fetched()
        else one
        for one in found
    )


def _named(name: str) -> Suite:
    """A packaged suite, or one's own from a file."""
    return load_local_suite(Path(name).expanduser()) if is_local_suite(name) else load_suite(name)


def _access() -> DatasetAccess:
    from bot.hub.suite_datasets import dataset_access

    return dataset_access(the_hub())


def _pin(out: Output, name: str, workspace: Path, *, beside: bool) -> None:
    """Look up the commits of a suite's datasets and write them down."""
    suite = load_suite(name)
    repos = dict.fromkeys(dataset.repo for dataset in suite.fetched())
    if not repos:
        out.result({}, f"{name} reads local files only; there is nothing to pin")
        return
    path = pins_beside(PACKAGED / f"{name}.yaml")
    if beside:
        access = _access()
        commits = {repo: access.commit_of(repo) for repo in repos}
        write_pins(path, commits)
    else:
        store = Workspace(workspace).evaluations
        pinned = pin_suite(suite, store, _access(), update=True)
        commits = {one.repo: one.revision or "" for one in pinned.fetched()}
        path = pins_of(store)
    rows = [[repo, commit] for repo, commit in commits.items()]
    out.result(commits, [out.table(rows, ["dataset", "commit"]), f"written to {path}"])
