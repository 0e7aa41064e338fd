"""``mergebot verify``: prove that a model is the merge it claims to be."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.options import engine_options
from bot.cli.output import Output, output_options
from bot.runner.merging import EngineOptions
from bot.runner.verify import verify as verify_model


@click.command(
    epilog="""\b
Examples:
  mergebot verify workspace/merges/1a2b3c4d5e6f7a8b/model
  mergebot verify ./downloaded --parents recipes/skills

\b
Exit codes: 0 identical, 20 equal within one ulp (made on another class of
machine), 15 different or not verifiable."""
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--parents",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that the recipe's local paths are relative to.",
)
@engine_options
@output_options
@click.pass_obj
def verify(
    out: Output,
    model: Path,
    parents: Path | None,
    device: str,
    threads: int,
    out_shard_size: int,
) -> int:
    """Re-make MODEL from its lock and compare every tensor."""
    options = EngineOptions(device=device, threads=threads, shard_bytes=out_shard_size)
    found = verify_model(model, parents=parents, options=options, report=out.report)
    out.close()
    lines = [str(found.answer), *(f"  {reason}" for reason in found.reasons)]
    data = {
        "answer": found.answer.value,
        "model_digest": found.model_digest,
        "reasons": list(found.reasons),
        "exit_code": found.answer.exit_code,
    }
    out.result(data, "\n".join(lines))
    return found.answer.exit_code
