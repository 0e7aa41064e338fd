"""Which models of the board can be talked to, and in which order they are offered."""

from __future__ import annotations

from itertools import islice

from leaderboard.board import Row
from leaderboard.render.board_json import model_id
from space_app.chat.chat_backend import ChatModel
from space_app.chat.model_cache import ModelCache
from space_app.live_board import Snapshot
from space_app.space_settings import WeightsOf

MOST_MODELS = 100


def chat_models(snapshot: Snapshot, weights: WeightsOf, model_cache: ModelCache) -> list[ChatModel]:
    """The best 100 models with weights that something here can run, best first."""
    found = (chat_model(row, weights) for row in snapshot.board.rows)
    runnable = (model for model in found if model is not None and model_cache.backend_for(model))
    return list(islice(runnable, MOST_MODELS))


def chat_model(row: Row, weights: WeightsOf) -> ChatModel | None:
    """A row as a model to talk to; None where its weights cannot be had."""
    found = weights(row)
    if found is None:
        return None
    return ChatModel(
        key=model_id(row.key), name=row.name, location=found.location, revision=found.revision,
        size=row.memory_bytes,
    )  # fmt: skip


def template_sources(row: Row, snapshot: Snapshot, weights: WeightsOf) -> list[ChatModel]:
    """The parents whose chat template can be used for a model without one."""
    record = row.record
    if record is None or record.model is None or record.model.chat_template is not None:
        return []
    parents = (snapshot.find(parent.key) for parent in record.parents if parent.chat_template)
    found = (chat_model(parent, weights) for parent in parents if parent is not None)
    return [model for model in found if model is not None]


def choice_label(model: ChatModel, model_cache: ModelCache) -> str:
    """The name, and why the model cannot be loaded where it cannot."""
    refused = model_cache.refusal(model)
    return f"{model.name} ({refused})" if refused else model.name
