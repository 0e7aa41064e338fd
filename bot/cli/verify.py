"""``mergebot verify``: prove that a model is the merge it claims to be."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.hub_connection import fetching, the_hub
from bot.cli.options import UserPath, engine_options, known_digests, rehash_option
from bot.cli.output import Output, output_options
from bot.errors import UsageError
from bot.events import Report
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.verify_merge import verify as verify_model
from bot.recipe.model_reference import hub_id_fault


@click.command(
    epilog="""\b
Examples:
  mergebot verify workspace/merges/1a2b3c4d5e6f7a8b/model
  mergebot verify ./downloaded --parents recipes/skills
  mergebot verify org/model
  mergebot verify org/model@1a2b3c4

\b
Every file of the repository is compared with its list, files.json. What was
proved, and what cannot be, is printed.

\b
Exit codes: 0 identical, 20 equal within one ulp (made on another class of
machine), 21 identical but its card was changed, 15 different or not
verifiable, 2 usage, 3 a parent is not there, 5 broken files, 6 disk, 11 the
Hub, 12 no access, 14 no such device, 16 no lock or a broken one, 130
interrupted. See docs/cli.md."""
)
@click.argument("model")
@click.option(
    "--parents",
    type=UserPath(folder=True),
    help="Folder that the recipe's local paths are relative to.",
)
@rehash_option
@engine_options
@output_options
@click.pass_obj
def verify(
    out: Output,
    model: str,
    parents: Path | None,
    rehash: bool,
    device: str,
    threads: int,
    memory: int | None,
    out_shard_size: int,
) -> int:
    """Re-make MODEL, a folder or org/name on the Hub, from its lock and compare every tensor."""
    options = EngineOptions(
        device=device, threads=threads, memory=memory, shard_bytes=out_shard_size
    )
    named: Path = UserPath().convert(model, None, None)
    folder = named if named.is_dir() else _fetched(model, out.report)
    digests = known_digests(folder, rehash=rehash)
    found = verify_model(
        folder,
        parents=parents,
        options=options,
        report=out.report,
        hub=fetching(digests=digests),
        digests=digests,
    )
    out.close()
    lines = [
        str(found.answer),
        *(f"  {reason}" for reason in found.reasons),
        *(f"  proved: {fact}" for fact in found.proved),
        *(f"  not proved: {fact}" for fact in found.unproved),
    ]
    data = {
        "answer": found.answer.value,
        "model_digest": found.model_digest,
        "reasons": list(found.reasons),
        "proved": list(found.proved),
        "not_proved": list(found.unproved),
        "exit_code": found.answer.exit_code,
    }
    out.result(data, "\n".join(lines))
    return found.answer.exit_code


def _fetched(model: str, report: Report) -> Path:
    """A published model in the cache, with its lock.

    Raises:
        UsageError: it is neither a folder nor the name of a repository.
        AccessError, HubError: it cannot be had.
    """
    from bot.hub.download import fetch_model

    repo, _, revision = model.partition("@")
    if model.startswith((".", "/", "~")) or hub_id_fault(repo):
        raise UsageError(f"there is no folder {model}", hint="give a folder, or org/name")
    return fetch_model(the_hub(), repo, revision or None, report)
