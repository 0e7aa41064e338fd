"""``mergebot merge``: only the merge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from bot.checkpoint.disk import write_atomic
from bot.cli.hub_connection import fetching
from bot.cli.options import UserPath, engine_options, known_digests, rehash_option
from bot.cli.output import Output, output_options
from bot.errors import NonFiniteError, UsageError
from bot.format_units import format_bytes, format_seconds
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.merge_recipe import merge_into_folder
from bot.pipeline.merge_sweep import VariantMerge, merge_sweep
from bot.recipe.recipe import Recipe
from bot.recipe.sweep import Variant, load_sweep


@click.command(
    epilog="""\b
Examples:
  mergebot merge recipe.yaml ./merged
  mergebot merge recipe.yaml ./merged --threads 8 --out-shard-size 2GB
  mergebot merge recipe.yaml ./merged --lock
  mergebot merge sweep.yaml ./variants     # weight: {sweep: [0.3, 0.5]}

Without --lock the parents are not hashed, which is faster; with it the
folder carries recipe.lock.json and `mergebot verify ./merged` can prove it.

A sweep is merged into one folder per variant inside OUT, with sweep.json beside
them; --json then prints a list with folder, choices, model_digest and warnings.

\b
Exit codes: 0 done, 2 usage, 3 recipe, 4 plan, 5 a parent's files, 6 disk or
memory, 7 not finite, 11 the Hub, 12 no access, 14 no such device,
130 interrupted. See docs/cli.md."""
)
@click.argument("recipe", type=UserPath())
@click.argument("out_folder", metavar="OUT", type=UserPath())
@click.option("--lock", is_flag=True, help="Pin the parents and leave a lock.")
@rehash_option
@engine_options
@output_options
@click.pass_obj
def merge(
    out: Output,
    recipe: Path,
    out_folder: Path,
    lock: bool,
    rehash: bool,
    device: str,
    threads: int,
    memory: int | None,
    out_shard_size: int,
) -> None:
    """Merge RECIPE into the folder OUT, streaming, resumable and atomic."""
    options = EngineOptions(
        device=device, threads=threads, memory=memory, shard_bytes=out_shard_size
    )
    clock = time.monotonic()
    variants = load_sweep(recipe)
    if variants[0].choices:
        merge_variants(out, variants, out_folder, options, lock=lock)
        return
    loaded = variants[0].recipe
    digests = known_digests(rehash=rehash) if lock else None
    done = merge_into_folder(
        loaded,
        out_folder,
        options,
        out.report,
        lock=lock,
        hub=fetching(digests=digests),
        digests=digests,
    )
    write_atomic(out_folder / "recipe.yaml", loaded.text.encode())
    out.close()
    for warning in done.plan.warnings:
        out.note(f"note: {warning}")
    seconds = time.monotonic() - clock
    size = sum(spec.nbytes for spec in done.plan.layout)
    data = {
        "model": str(out_folder),
        "model_digest": done.digest,
        "tensors": len(done.plan.jobs),
        "bytes": size,
        "seconds": round(seconds, 3),
        "warnings": list(done.plan.warnings),
    }
    text = f"{out_folder}  {len(done.plan.jobs)} tensors, {format_bytes(size)}"
    out.result(data, f"{text}, {format_seconds(seconds)}\ndigest {done.digest}")


def merge_variants(
    out: Output,
    variants: Sequence[Variant],
    folder: Path,
    options: EngineOptions,
    *,
    lock: bool,
) -> None:
    """Merge every variant of a sweep into a numbered folder inside OUT."""
    if lock:
        raise UsageError("a sweep leaves no lock", hint=lock_hint(variants[0].recipe, folder))
    merged = merge_sweep(variants, folder, options, out.report, hub=fetching())
    out.close()
    for warning in dict.fromkeys(text for one in merged for text in one.merge.plan.warnings):
        out.note(f"note: {warning}")
    finished = [one for one in merged if one.merge.failure is None]
    lines = "\n".join(f"{one.merge.model}  {one.variant.label}" for one in finished)
    if len(finished) < len(merged):
        out.note(lines)
        raise failure_of(merged)
    rows = [
        {
            "folder": one.merge.model.name,
            "choices": dict(one.variant.choices),
            "model_digest": one.merge.digest,
            "warnings": list(one.merge.plan.warnings),
        }
        for one in finished
    ]
    out.result(rows, lines)


def lock_hint(recipe: Recipe, folder: Path) -> str:
    """How to come to the lock of one variant, whose recipe lies in its folder inside OUT."""
    text = f"merge without --lock, then {folder}/NN/recipe.yaml, the variant you want, with --lock"
    if any(ref.is_local and not Path(ref.path).is_absolute() for ref in recipe.references()):
        home = Path(recipe.file).parent.resolve()
        text += f"; copy it to {home} first, since its paths are relative to that folder"
    return text


def failure_of(merged: Sequence[VariantMerge]) -> NonFiniteError:
    """What failed, variant by variant."""
    failures = [(one, why) for one in merged if (why := one.merge.failure) is not None]
    lines = [f"{one.merge.model}  {one.variant.label}: {why.message}" for one, why in failures]
    finished = len(merged) - len(failures)
    return NonFiniteError(
        "\n".join(lines), hint=f"{failures[0][1].hint}; {finished} of {len(merged)} are finished"
    )
