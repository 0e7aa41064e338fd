"""A sweep merged into a folder, without a workspace: a numbered folder per variant, and a table.

The table, ``sweep.json``, is there before the first variant and says whose folder it is, so that a
merge that was stopped goes on, and nobody else's folder is written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import write_atomic
from bot.errors import NonFiniteError, StorageError
from bot.events import Report
from bot.methods.core.all_methods import catalogue
from bot.pipeline.merging import RECIPE_FILE, Alone, EngineOptions, merge_into
from bot.pipeline.parents import HubResolver, no_hub, open_unpinned
from bot.pipeline.workspace import read_json, write_json
from bot.plan.planner import make_plan
from bot.recipe.canonical import recipe_hash
from bot.recipe.sweep import Variant

TABLE = "sweep.json"


@dataclass(frozen=True, kw_only=True)
class MergedVariant:
    """A variant, the folder its model is in, and its merge, which may have failed."""

    variant: Variant
    folder: Path
    merge: Alone

    @property
    def failure(self) -> NonFiniteError | None:
        """Why there is no model, None where there is one."""
        return self.merge.made if isinstance(self.merge.made, NonFiniteError) else None


def merge_sweep(
    variants: Sequence[Variant],
    out: Path,
    options: EngineOptions,
    report: Report,
    *,
    hub: HubResolver = no_hub,
) -> tuple[MergedVariant, ...]:
    """Merge every variant into a folder of its own inside ``out``; the parents are read once.

    Raises:
        StorageError: ``out`` holds something else.
        MergebotError: as ``merge``, for what concerns all variants.
    """
    rows = [_row(number, variant) for number, variant in enumerate(variants, start=1)]
    _refuse_foreign(out, rows)
    family = open_unpinned(variants[0].recipe, hub)
    parents, methods = family.parents(), catalogue()
    plans = [make_plan(variant.recipe, parents, methods) for variant in variants]
    write_json(out / TABLE, {"variants": rows})
    folders = [out / row["folder"] for row in rows]
    made = merge_into(folders, plans, family, options, report)
    merged = tuple(
        MergedVariant(variant=variant, folder=folder, merge=Alone(plan=plan, made=one))
        for variant, folder, plan, one in zip(variants, folders, plans, made, strict=True)
    )
    for one in merged:
        if one.failure is None:
            write_atomic(one.folder / RECIPE_FILE, one.variant.recipe.text.encode())
    ended = [row | _outcome(one) for row, one in zip(rows, merged, strict=True)]
    write_json(out / TABLE, {"variants": ended})
    return merged


def _row(number: int, variant: Variant) -> dict[str, Any]:
    return {
        "folder": f"{number:02d}",
        "choices": dict(variant.choices),
        "recipe_hash": recipe_hash(variant.recipe),
    }


def _outcome(one: MergedVariant) -> dict[str, Any]:
    if one.failure is not None:
        return {"failure": one.failure.message}
    return {"model_digest": one.merge.digest}


def _refuse_foreign(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    kept = (read_json(out / TABLE) or {}).get("variants")
    if _recipes(kept) != _recipes(rows):
        raise StorageError(
            f"{out} exists and is not the result of this sweep",
            hint="choose another output folder, or remove this one",
        )


def _recipes(rows: object) -> list[object]:
    """The recipes a table names, whatever a stranger has put there."""
    found = rows if isinstance(rows, list) else []
    return [row.get("recipe_hash") if isinstance(row, dict) else None for row in found]
