"""``mergebot publish``: a run of the workspace onto the Hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bot.cli.hub_connection import the_hub
from bot.cli.options import workspace_option
from bot.cli.output import Output, output_options
from bot.errors import UsageError
from bot.pipeline.find_record import find_record
from bot.pipeline.workspace import Workspace

if TYPE_CHECKING:
    from bot.pipeline.publishing import Operator, PublishResult
    from bot.pipeline.run_settings import RunSettings

F = TypeVar("F", bound=Callable[..., Any])
POLICIES = ("all", "not-worse", "better")
NO_ORGANISATION = "say whose: --repo org/name, --org NAME, or set MERGEBOT_ORG"


def operator_options(command: F) -> F:
    """What an operator decides about publishing; read from the environment where not given."""
    for option in reversed(
        [
            click.option(
                "--policy",
                type=click.Choice(POLICIES),
                default="all",
                show_default=True,
                envvar="MERGEBOT_POLICY",
                help="Which verdicts are published.",
            ),
            click.option("--private", is_flag=True, help="Keep repository and results private."),
            click.option("--create-pr", is_flag=True, help="Propose instead of writing."),
            click.option(
                "--allow-local-parents",
                is_flag=True,
                help="Publish merges of local folders too, which nobody else can verify.",
            ),
            click.option(
                "--results",
                envvar="MERGEBOT_RESULTS",
                help="Results dataset; ORG/mergebot-results by default.",
            ),
            click.option(
                "--issues",
                envvar="MERGEBOT_ISSUES",
                help="GitHub repository (its address) that takes reports on models.",
            ),
        ]
    ):
        command = option(command)
    return command


def make_operator(organisation: str, settings: dict[str, Any]) -> Operator:
    """The operator of these options, as the user of the environment's token.

    Raises:
        UsageError: the organisation has no name.
    """
    if not organisation.strip():
        raise UsageError("Publish as whom?", hint=NO_ORGANISATION)
    from bot.pipeline.publishing import Operator

    return Operator(hub=the_hub(), organisation=organisation, **settings)


def operator_of_run(settings: RunSettings) -> Operator:
    """The operator that a run's settings name, as the user of the environment's token.

    Raises:
        UsageError: the run is not to be published.
    """
    if settings.publish is None:
        raise UsageError("this run is not to be published", hint="use `mergebot publish RUN`")
    given = asdict(settings.publish)
    return make_operator(given.pop("organisation"), given)


@click.command(
    epilog="""\b
Examples:
  mergebot publish 1a2b3c4d --repo me/my-merge
  MERGEBOT_ORG=my-org mergebot publish my-merge --policy not-worse
  mergebot publish my-merge --repo someone/model --create-pr

\b
The token comes from HF_TOKEN, `hf auth login` or trusted publishing
(HF_OIDC_RESOURCE), never from the command line. Publishing a run twice
changes nothing.

\b
Exit codes: 0 done, 2 usage, 6 disk, 11 the Hub, 12 no access, 13 license,
16 no such run, 17 refused. See docs/cli.md."""
)
@click.argument("run")
@workspace_option
@click.option("--repo", help="Repository; ORG/<recipe name> by default.")
@click.option("--org", envvar="MERGEBOT_ORG", help="User or organisation to publish as.")
@click.option("--supersedes", metavar="ORG/NAME", help="Point that model's page to this one.")
@operator_options
@output_options
@click.pass_obj
def publish(
    out: Output,
    /,
    run: str,
    workspace: Path,
    repo: str | None,
    org: str | None,
    supersedes: str | None,
    **settings: Any,
) -> None:
    """Publish RUN: weights, card, recipe, lock, record and scores, in one commit."""
    from bot.pipeline.publishing import announce

    organisation = org or (repo or "").rpartition("/")[0]
    if not organisation:
        raise UsageError("Publish where?", hint=NO_ORGANISATION)
    place = Workspace(workspace)
    record = find_record(place, run)
    operator = make_operator(organisation, settings)
    done = announce(record, place, operator, out.report, repo=repo, supersedes=supersedes)
    out.close()
    out.result(announced_data(done), announced_text(done))


def announced_text(done: PublishResult) -> str:
    """Where it is, or why it is nowhere."""
    if done.publication is None:
        return f"  not published: {done.reason}\n  results {done.dataset}"
    again = "" if done.fresh else "  (was there already)"
    lines = [f"  page    {done.publication.url}{again}", f"  commit  {done.publication.commit}"]
    if done.pull_request:
        lines.append(f"  pull request  {done.pull_request}")
    return "\n".join([*lines, f"  results {done.dataset}"])


def announced_data(done: PublishResult) -> dict[str, object]:
    """The same for programs."""
    return {
        "publication": done.publication.model_dump(mode="json") if done.publication else None,
        "fresh": done.fresh,
        "pull_request": done.pull_request,
        "results": done.dataset,
        "reason": done.reason,
    }
