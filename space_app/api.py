"""Typed endpoints for programs: the best models, one model, a comparison.

Arguments arrive unchecked: whoever calls may send any JSON. Each wrong one is answered with what
is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import gradio as gr

from leaderboard.compare_rows import MOST
from leaderboard.render.board_export import row_record
from leaderboard.render.board_json import model_id
from space_app.app_context import Context
from space_app.live_board import LONGEST_NAME, Snapshot
from space_app.model_comparison import ambiguous
from space_app.model_comparison import compare as compare_models

MOST_ROWS = 500
KINDS = ("any", "merge", "base", "finetune")


def add_endpoints(context: Context) -> None:
    """Register ``/top_models``, ``/model`` and ``/compare``; call inside the Blocks."""

    def top_models(limit: int = 10, kind: str = "any") -> list[dict[str, Any]]:
        """The best models of the board, best first.

        Args:
            limit: how many, from 1 to 500.
            kind: ``merge``, ``base``, ``finetune`` or ``any``.
        """
        return best_models(context.live.current, limit, kind)

    def model(name: str) -> dict[str, Any]:
        """One model by name, id, key or run: its numbers and, for merges, its whole record."""
        return one_model(context.live.current, name)

    def compare(models: list[str]) -> dict[str, Any]:
        """Two to four models, the first one as the baseline, paired on shared items."""
        return comparison(context, models)

    gr.api(top_models, api_name="top_models", concurrency_limit=None)
    gr.api(model, api_name="model", concurrency_limit=None)
    gr.api(compare, api_name="compare", concurrency_limit=None)


def best_models(snapshot: Snapshot, limit: object, kind: object) -> list[dict[str, Any]]:
    """The first rows of a kind.

    Raises:
        gr.Error: an argument is wrong.
    """
    number = _whole_number(limit)
    if number is None or not 1 <= number <= MOST_ROWS:
        raise gr.Error(f"limit is {_shown(limit)}; give a whole number from 1 to {MOST_ROWS}")
    if kind not in KINDS:
        raise gr.Error(f"kind is {_shown(kind)}; give one of {', '.join(KINDS)}")
    rows = [row for row in snapshot.board.rows if kind in {"any", row.kind}]
    return [{**row_record(snapshot.board, row), "id": model_id(row.key)} for row in rows[:number]]


def one_model(snapshot: Snapshot, name: object) -> dict[str, Any]:
    """The numbers of a model and its record.

    Raises:
        gr.Error: the argument is wrong, or names no model or several.
    """
    if not isinstance(name, str) or not name:
        raise gr.Error(f"name is {_shown(name)}; give a model's name or id as text")
    row = snapshot.find(name)
    if row is None:
        if refusal := ambiguous(snapshot, name):
            raise gr.Error(refusal)
        similar = ", ".join(snapshot.similar_names(name))
        raise gr.Error(f"there is no model {name[:LONGEST_NAME]}; most like it: {similar}")
    record = row.record.model_dump(mode="json") if row.record else None
    return {**row_record(snapshot.board, row), "id": model_id(row.key), "record": record}


def comparison(context: Context, models: object) -> dict[str, Any]:
    """The comparison of a list of models.

    Raises:
        gr.Error: the argument is wrong, or the models cannot be compared.
    """
    if not _is_texts(models):
        raise gr.Error(
            f"models is {_shown(models)}; give a list of two to {MOST} names or ids as texts"
        )
    found = compare_models(context.live.current, context.settings.samples, models)
    if found.refusal:
        raise gr.Error(found.refusal)
    others = [
        {
            "name": pair.row.name,
            "id": model_id(pair.row.key),
            "reason": pair.refusal,
            "note": pair.note,
            "comparison": pair.comparison.model_dump(mode="json") if pair.comparison else None,
        }
        for pair in found.pairs
    ]
    baseline = found.pairs[0].baseline
    return {"baseline": baseline.name, "baseline_id": model_id(baseline.key), "others": others}


def _is_texts(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _whole_number(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():  # JSON does not tell 3 from 3.0
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _shown(value: object) -> str:
    """A wrong argument as JSON would show it, shortened."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
