"""``mergebot leaderboard retract``: take a run back, here and on the Hub."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from bot.cli.hub_connection import the_hub
from bot.cli.options import workspace_option
from bot.cli.output import Output, output_options
from bot.cli.publish import make_operator
from bot.errors import RecordError
from bot.pipeline.find_record import find_record
from bot.pipeline.workspace import Workspace
from leaderboard.record import Record, Retraction
from leaderboard.record_store import FolderStore


@click.command(
    epilog="""\b
Examples:
  mergebot leaderboard retract 1a2b3c4d --reason "trained on test items"
  mergebot leaderboard retract 1a2b3c4d --reason "wrong license" --org my-org

\b
The record stays and says that it was taken back. With --org or --results the
model's repository is made private, and its row, card and open pull requests
are marked. Nothing is deleted; running it again goes on where it stopped."""
)
@click.argument("key")
@click.option("--reason", required=True, help="Why, in a sentence; everybody can read it.")
@click.option("--by", default="the operator", show_default=True, help="Who takes it back.")
@click.option("--org", envvar="MERGEBOT_ORG", help="The organisation that published it.")
@click.option("--results", envvar="MERGEBOT_RESULTS", help="Its results dataset.")
@workspace_option
@output_options
@click.pass_obj
def retract(
    out: Output,
    key: str,
    reason: str,
    by: str,
    org: str | None,
    results: str | None,
    workspace: Path,
) -> None:
    """Take the run KEY back."""
    place = Workspace(workspace)
    organisation = org or (results or "").rpartition("/")[0]
    record = _find(place, key, organisation, results)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    retraction = record.retraction or Retraction(
        run_key=record.run_key, reason=reason, by=by, created=now
    )
    if organisation:
        from bot.pipeline.publishing import retract as take_back

        settings: dict[str, Any] = {"results": results}
        take_back(record, retraction, make_operator(organisation, settings))
    board = FolderStore(place.board)
    if record.run_key in board and record.retraction is None:
        board.retract(retraction)
    repo = record.publication.repo if record.publication else None
    data = {"run_key": record.run_key, "reason": retraction.reason, "repo": repo}
    hidden = f"; {repo} is private now" if repo and organisation else ""
    out.result(data, f"{record.name} is retracted{hidden}")


def _find(place: Workspace, key: str, organisation: str, results: str | None) -> Record:
    """The run in the workspace, or among the published results.

    Raises:
        RecordError: there is none.
    """
    try:
        return find_record(place, key)
    except RecordError:
        if not organisation:
            raise
    from bot.hub.results_dataset import ResultsDataset
    from bot.pipeline.publishing import RESULTS

    repo = results or f"{organisation}/{RESULTS}"
    found = [
        record
        for record in ResultsDataset(the_hub(), repo).load().records
        if record.run_key.startswith(key)
    ]
    if len(found) != 1:
        many = "no run" if not found else f"{len(found)} runs"
        raise RecordError(f"{many} in {repo} begin with {key}", hint="give more of the key")
    return found[0]
