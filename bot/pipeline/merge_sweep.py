"""A sweep merged into a folder, without a workspace: a numbered folder per variant, and a table.

The table, ``sweep.json``, is there before the first variant and says which sweep the folder belongs
to. A merge that was stopped therefore goes on, and a folder of something else is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import write_atomic
from bot.errors import StorageError
from bot.events import Report
from bot.methods.core.all_methods import catalogue
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.json_formats import SWEEP, read_document, write_document
from bot.pipeline.merge_recipe import RECIPE_FILE, MergeResult, merge_into
from bot.pipeline.open_parents import HubResolver, no_hub, open_parents
from bot.plan.planner import make_plans
from bot.recipe.canonical import recipe_hash
from bot.recipe.sweep import Variant

TABLE = "sweep.json"


@dataclass(frozen=True, kw_only=True)
class VariantMerge:
    """A variant and what became of its merge, which may have failed."""

    variant: Variant
    merge: MergeResult


def merge_sweep(
    variants: Sequence[Variant],
    out: Path,
    options: EngineOptions,
    report: Report,
    *,
    hub: HubResolver = no_hub,
) -> tuple[VariantMerge, ...]:
    """Merge every variant into a folder of its own inside ``out``; the parents are read once.

    Raises:
        StorageError: ``out`` holds something else.
        MergebotError: as ``merge_into``, for what concerns all variants.
    """
    rows = [_row(number, variant) for number, variant in enumerate(variants, start=1)]
    _refuse_foreign(out, rows)
    parents = open_parents(variants[0].recipe, hub=hub, pinned=False)
    plans = make_plans(
        [variant.parsed for variant in variants],
        parents.for_planning(),
        catalogue(),
        resources=options.resources,
        sweep_at=variants[0].sweep_at,
    )
    write_document(out / TABLE, SWEEP, {"variants": rows})
    merged = merge_into([out / row["folder"] for row in rows], plans, parents, options, report)
    for variant, one in zip(variants, merged, strict=True):
        if one.failure is None:
            write_atomic(one.model / RECIPE_FILE, variant.recipe.text.encode())
    ended = [row | _outcome(one) for row, one in zip(rows, merged, strict=True)]
    write_document(out / TABLE, SWEEP, {"variants": ended})
    return tuple(
        VariantMerge(variant=variant, merge=one)
        for variant, one in zip(variants, merged, strict=True)
    )


def _row(number: int, variant: Variant) -> dict[str, Any]:
    return {
        "folder": f"{number:02d}",
        "choices": dict(variant.choices),
        "recipe_hash": recipe_hash(variant.recipe),
    }


def _outcome(one: MergeResult) -> dict[str, Any]:
    if one.failure is not None:
        return {"failure": one.failure.message}
    return {"model_digest": one.digest}


def _refuse_foreign(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    kept = (read_document(out / TABLE, SWEEP) or {}).get("variants")
    if _recipes(kept) != _recipes(rows):
        raise StorageError(
            f"{out} exists and is not the result of this sweep",
            hint="choose another output folder, or remove this one",
        )


def _recipes(rows: object) -> list[object]:
    """The recipes that a table names, whatever somebody has put there."""
    found = rows if isinstance(rows, list) else []
    return [row.get("recipe_hash") if isinstance(row, dict) else None for row in found]
