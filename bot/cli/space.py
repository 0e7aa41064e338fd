"""``mergebot space``: browse, compare and talk to the models of a workspace, or deploy a Space."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.options import UserPath, workspace_option
from bot.cli.output import Output, output_options
from bot.errors import EnvironmentMissingError, UsageError
from bot.evaluation.score_files import MANIFEST, read_evaluation
from bot.pipeline.json_formats import read_object
from bot.pipeline.live_merge import LiveMerge
from bot.pipeline.merge_facts import recipe_folder
from bot.pipeline.workspace import Workspace
from leaderboard.board import Row
from leaderboard.record_store import FolderStore
from leaderboard.sample_scores import TaskScores

if TYPE_CHECKING:
    from space_app.space_settings import Weights


@click.command(
    epilog="""\b
Examples:
  mergebot space
  mergebot space --workspace demo --port 7861
  mergebot space --deploy my-org/leaderboard --board my-org/results

\b
Exit codes: 0 stopped by the user, 2 usage, 11 the Hub, 12 no access, 14
gradio is missing, 16 a broken record, 17 the plan does not include Spaces.
See docs/cli.md."""
)
@workspace_option
@click.option("--port", type=click.IntRange(1, 65535), help="Port; the first free from 7860.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--server", help="OpenAI-compatible server for chat, e.g. http://gpu:8000/v1.")
@click.option("--recipes", metavar="OWNER/NAME", help="GitHub repository that takes recipes.")
@click.option("--deploy", "target", metavar="ORG/NAME", help="Create or update a Space there.")
@click.option("--board", metavar="ORG/NAME", help="Dataset whose records a deployed Space shows.")
@click.option("--votes", metavar="ORG/NAME", help="Dataset where a deployed Space keeps votes.")
@click.option("--hardware", default="zero-a10g", show_default=True, help="Suggested hardware.")
@click.option("--private", is_flag=True, help="Deploy as a private Space.")
@click.option(
    "--folder",
    type=UserPath(folder=True),
    help="Write the Space's files there instead of serving or deploying.",
)
@output_options
@click.pass_obj
def space(
    out: Output,
    workspace: Path,
    port: int | None,
    host: str,
    server: str | None,
    recipes: str | None,
    target: str | None,
    board: str | None,
    votes: str | None,
    hardware: str,
    private: bool,
    folder: Path | None,
) -> None:
    """Open the leaderboard in the browser, with chat; or put it on the Hub."""
    if target or folder:
        variables = {
            "MERGEBOT_BOARD": board,
            "MERGEBOT_RECIPES": recipes,
            "MERGEBOT_SERVER": server,
            "MERGEBOT_VOTES_DATASET": votes,
        }
        _publish(out, target, folder, variables, hardware=hardware, private=private)
        return
    app = local_space(Workspace(workspace), server=server, recipes=recipes)
    out.note(f"the board of {workspace}; stop with Ctrl-C")
    app.launch(server_name=host, server_port=port, quiet=out.json)


def local_space(place: Workspace, *, server: str | None = None, recipes: str | None = None) -> Any:
    """The Space on a workspace's own board, models and scores.

    Raises:
        EnvironmentMissingError: gradio is not installed.
    """
    try:
        from space_app.build_app import Space
    except ModuleNotFoundError as missing:
        raise _missing(missing) from missing
    from space_app.chat.live_merge_backend import registered_live_merge
    from space_app.chat.memory_budget import free_memory
    from space_app.chat.rate_limits import Limits
    from space_app.deployed_main import backends
    from space_app.space_settings import Settings

    weights = WorkspaceWeights(place)
    return Space.of(
        Settings(
            store=FolderStore(place.board),
            votes=place.root / "votes.sqlite",
            salt=_salt(place.root / "votes.salt"),
            backends=backends(server),
            live_merge=registered_live_merge() or LiveMerge(),
            samples=WorkspaceSamples(place),
            weights=weights,
            recipe_folder=weights.recipe_folder,
            examples=example_prompts(),
            recipes=recipes,
            memory=free_memory(),
            limits=Limits(per_minute=600, per_hour=36_000),
        )
    )


def _publish(
    out: Output,
    target: str | None,
    folder: Path | None,
    variables: Mapping[str, str | None],
    *,
    hardware: str,
    private: bool,
) -> None:
    """Write the Space's folder, or create and update it on the Hub."""
    tools = _deploy_tools()
    known = {name: value for name, value in variables.items() if value}
    deployment = tools.Deployment(variables=known, hardware=hardware, examples=example_prompts())
    if folder is not None:
        tools.write_folder(deployment, folder)
        out.result({"folder": str(folder)}, f"wrote {folder}; start it with python app.py")
        return
    if "MERGEBOT_BOARD" not in known:
        raise UsageError(
            "a deployed Space needs a board to show",
            hint="name the dataset with the records: --board ORG/NAME",
        )
    done = tools.deploy(target, deployment, private=private)
    listed = [f"  {name}: {what}" for name, what in done.secrets.items()]
    verb = "created" if done.created else "updated"
    text = [f"{verb} {done.url}", f"commit {done.commit}", "", "secrets of its settings:", *listed]
    data = {"url": done.url, "commit": done.commit, "created": done.created}
    out.result({**data, "secrets": dict(done.secrets)}, "\n".join(text))


def _deploy_tools() -> Any:
    try:
        from space_app import deploy
    except ModuleNotFoundError as missing:
        raise _missing(missing) from missing
    return deploy


def _missing(missing: ModuleNotFoundError) -> EnvironmentMissingError:
    return EnvironmentMissingError(
        f"the Space needs {missing.name}", hint="pip install 'mergebot[space]'"
    )


class WorkspaceSamples:
    """Per-sample scores from the workspace's evaluations, found by suite digest and model."""

    def __init__(self, place: Workspace) -> None:
        self._place = place
        self._known: dict[Path, tuple[str, str]] = {}

    def __call__(self, suite: str, model: str) -> Mapping[str, TaskScores] | None:
        """The scores of a model on a suite, None where it was not evaluated here."""
        for folder in sorted(self._place.evaluations.glob(f"*/{MANIFEST}")):
            if self._named(folder) == (suite, model):
                found = read_evaluation(folder.parent)
                return found.task_scores if found else None
        return None

    def _named(self, manifest: Path) -> tuple[str, str]:
        if manifest not in self._known:
            content = read_object(manifest) or {}
            self._known[manifest] = (content.get("suite_digest", ""), content["model_digest"])
        return self._known[manifest]


class WorkspaceWeights:
    """Where a row's weights are on this machine: merges here, parents where their recipe was."""

    def __init__(self, place: Workspace) -> None:
        self._place = place

    def __call__(self, row: Row) -> Weights | None:
        """A model folder of this workspace, else the Hub repository and commit of the record."""
        from space_app.space_settings import Weights, published_weights

        if row.record is not None:
            model = self._place.merge(row.record.merge_key) / "model"
            return Weights(str(model.resolve())) if model.is_dir() else published_weights(row)
        if row.parent is not None and row.parent.ref.startswith((".", "/")):
            local = self._local(row.parent.ref)
            return Weights(local) if local else None
        return published_weights(row)

    def recipe_folder(self, row: Row) -> Path | None:
        """What the local paths of a merge's recipe are relative to."""
        if row.record is None:
            return None
        return recipe_folder(self._place.merge(row.record.merge_key) / "model")

    def _local(self, ref: str) -> str | None:
        for facts in sorted(self._place.root.glob("merges/*/merge.json")):
            folder = recipe_folder(facts.parent / "model")
            if folder is not None and (folder / ref).is_dir():
                return str((folder / ref).resolve())
        return None


def example_prompts() -> dict[str, tuple[str, ...]]:
    """Prompts to start with, by suite."""
    from bot.evaluation.suite_catalog import suites

    return {found.name: found.data.example_prompts for found in suites()}


def _salt(path: Path) -> str:
    """The workspace's own salt, drawn once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(16), "utf-8")
        path.chmod(0o600)
    return path.read_text("utf-8").strip()
