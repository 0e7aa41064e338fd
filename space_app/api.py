"""Typed endpoints for programs: the best models, one model, a comparison."""

from __future__ import annotations

from typing import Any

import gradio as gr

from leaderboard.render.board_export import row_record
from space_app.app_context import Context
from space_app.model_comparison import compare as compare_models

MOST = 500


def add_endpoints(context: Context) -> None:
    """Register ``/top_models``, ``/model`` and ``/compare``; call inside the Blocks."""

    def top_models(limit: int = 10, kind: str = "any") -> list[dict[str, Any]]:
        """The best models of the board, best first.

        Args:
            limit: how many, at most 500.
            kind: ``merge``, ``base``, ``finetune`` or ``any``.
        """
        board = context.live.current.board
        rows = [row for row in board.rows if kind in {"any", row.kind}]
        return [row_record(board, row) for row in rows[: max(0, min(limit, MOST))]]

    def model(name: str) -> dict[str, Any]:
        """One model by name, id, key or run: its numbers and, for merges, its whole record."""
        snapshot = context.live.current
        row = snapshot.find(name)
        if row is None:
            raise gr.Error(
                f"there is no model {name}; most alike: {', '.join(snapshot.near(name))}"
            )
        record = row.record.model_dump(mode="json") if row.record else None
        return {**row_record(snapshot.board, row), "record": record}

    def compare(models: list[str]) -> dict[str, Any]:
        """Two to four models, the first one as the baseline, paired on shared items."""
        found = compare_models(context.live.current, context.settings.samples, models)
        if found.refusal:
            raise gr.Error(found.refusal)
        others = [
            {
                "name": pair.row.name,
                "reason": pair.refusal,
                "note": pair.note,
                "comparison": pair.comparison.model_dump(mode="json") if pair.comparison else None,
            }
            for pair in found.pairs
        ]
        return {"baseline": found.pairs[0].baseline.name, "others": others}

    gr.api(top_models, api_name="top_models", concurrency_limit=None)
    gr.api(model, api_name="model", concurrency_limit=None)
    gr.api(compare, api_name="compare", concurrency_limit=None)
