"""``mergebot hub``: what is kept on the Hub and in the cache."""

from __future__ import annotations

import time

import click

from bot.cli.hub_connection import the_hub
from bot.cli.options import ByteSize
from bot.cli.output import Output, output_options
from bot.errors import UsageError
from bot.format_units import format_bytes


@click.group()
def hub() -> None:
    """Look after published merges and the cache of fetched models."""


@hub.command(
    epilog="""\b
Examples:
  mergebot hub gc --results my-org/mergebot-results
  mergebot hub gc --results my-org/mergebot-results --older-than 90 --apply

\b
A merge is listed when another published merge of the same parents is
significantly better. Nothing is ever deleted: --apply makes them private,
after asking."""
)
@click.option(
    "--results", required=True, envvar="MERGEBOT_RESULTS", help="The results dataset, ORG/NAME."
)
@click.option(
    "--older-than", type=click.FloatRange(0), default=30, show_default=True, help="Days since."
)
@click.option("--apply", is_flag=True, help="Make them private.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_options
@click.pass_obj
def gc(out: Output, results: str, older_than: float, apply: bool, yes: bool) -> None:
    """List published merges that a better one of the same family makes redundant."""
    from bot.hub.results_dataset import ResultsDataset
    from bot.hub.superseded_models import dominated, still_public
    from bot.hub.visibility import make_private

    the = the_hub()
    records = ResultsDataset(the, results).load().records
    found = still_public(the, dominated(records, older_than=older_than, now=time.time()))
    repos = [one.record.publication.repo for one in found if one.record.publication]
    rows = [
        [repo, one.better.name, format_bytes(one.storage), one.record.created[:10]]
        for repo, one in zip(repos, found, strict=True)
    ]
    table = out.table(rows, ["repository", "beaten by", "storage", "since"], right=[2])
    total = sum(one.storage for one in found)
    hidden = bool(apply and found and (yes or _agreed(out, repos)))
    if hidden:
        for repo in repos:
            make_private(the, repo)
    data = {
        "dominated": [
            {"repo": repo, "better": one.better.name, "bytes": one.storage}
            for repo, one in zip(repos, found, strict=True)
        ],
        "bytes": total,
        "made_private": hidden,
    }
    end = "made private" if hidden else "nothing was changed"
    out.result(data, [table, "", f"{len(found)} repositories, {format_bytes(total)}: {end}"])


@hub.command(
    epilog="""\b
Examples:
  mergebot hub cache
  mergebot hub cache --limit 50GB

\b
MERGEBOT_HUB_CACHE says where it is; with MERGEBOT_HUB_CACHE_LIMIT it trims
itself before it fetches."""
)
@click.option("--limit", type=ByteSize(), help="Remove the longest unused models down to this.")
@output_options
@click.pass_obj
def cache(out: Output, limit: int | None) -> None:
    """Show or trim the cache of fetched models; models in use stay."""
    kept = the_hub().cache
    freed = kept.trim(limit) if limit is not None else 0
    used = kept.used()
    text = f"{kept.root}: {format_bytes(used)}"
    if limit is not None:
        text += f", {format_bytes(freed)} freed"
    out.result({"folder": str(kept.root), "bytes": used, "freed": freed}, text)


def _agreed(out: Output, repos: list[str]) -> bool:
    if out.json:
        raise UsageError("with --json nothing can be asked", hint="add --yes")
    return click.confirm(f"Make {len(repos)} repositories private?", err=True)
