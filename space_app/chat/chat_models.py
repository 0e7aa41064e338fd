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


def chat_models(snapshot: Snapshot, weights: WeightsOf, residents: ModelCache) -> list[ChatModel]:
    """Best first, so many at most; what has no weights or no engine to run it is left out."""
    found = (chat_model(row, weights) for row in snapshot.board.rows)
    runnable = (model for model in found if model is not None and residents.engine_for(model))
    return list(islice(runnable, MOST_MODELS))


def chat_model(row: Row, weights: WeightsOf) -> ChatModel | None:
    """A row as a model to talk to; None where its weights cannot be had."""
    location = weights(row)
    if location is None:
        return None
    return ChatModel(key=model_id(row.key), name=row.name, location=location, size=row.memory_bytes)


def lenders(row: Row, snapshot: Snapshot, weights: WeightsOf) -> list[ChatModel]:
    """The parents whose chat template a model without one may borrow."""
    record = row.record
    if record is None or record.model is None or record.model.chat_template is not None:
        return []
    parents = (snapshot.find(parent.key) for parent in record.parents if parent.chat_template)
    found = (chat_model(parent, weights) for parent in parents if parent is not None)
    return [model for model in found if model is not None]


def choice_label(model: ChatModel, residents: ModelCache) -> str:
    """The name, and why it cannot be loaded where it cannot."""
    refused = residents.refusal(model)
    return f"{model.name} ({refused})" if refused else model.name
