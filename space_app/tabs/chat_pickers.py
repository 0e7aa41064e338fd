"""The two model pickers of the chat tab: their choices, what is chosen at first, and the fit."""

from __future__ import annotations

from typing import Any

import gradio as gr

from leaderboard.render.board_json import model_id
from space_app.app_context import Context
from space_app.chat.chat_models import chat_models, choice_label
from space_app.chat.chat_service import state_words
from space_app.tabs.chat_stream import find_model
from space_app.tabs.chat_view import SIDE_BY_SIDE, status_html

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def model_choices(context: Context) -> list[tuple[str, str]]:
    """Labels and ids of every model that can be talked to here."""
    cache, snapshot = context.chat_service.model_cache, context.live.current
    found = chat_models(snapshot, context.settings.weights, cache)
    return [(choice_label(model, cache), model.key) for model in found]


def default_model(context: Context) -> str | None:
    """The best merge that fits into memory, else the best model that does."""
    cache, snapshot = context.chat_service.model_cache, context.live.current
    fitting = [
        model
        for model in chat_models(snapshot, context.settings.weights, cache)
        if cache.refusal(model) is None
    ]
    merges = [model for model in fitting if snapshot.rows[model.key].kind == "merge"]
    return next((model.key for model in [*merges, *fitting]), None)


def opponent(context: Context, key: str | None) -> str | None:
    """The model to show beside another: a merge's best parent, else any other model."""
    snapshot = context.live.current
    known = [value for _, value in model_choices(context) if value != key]
    row = snapshot.find(key) if key else None
    if row is not None and row.judgement is not None:
        named = snapshot.named(row.judgement.best_parent_name)
        best = next((model_id(one.key) for one in named if one.kind != "merge"), None)
        if best in known:
            return best
    parents = {model_id(one.key) for name in (row.parents if row else ()) for one in
               snapshot.named(name)}  # fmt: skip
    return next((value for value in known if value in parents), next(iter(known), None))


def choose_models(context: Context, name: str | None) -> tuple[Any, Any, Any]:
    """Updates of both pickers and the status for a model named in an address."""
    choices = model_choices(context)
    known = {value for _, value in choices}
    row = context.live.current.find(name) if name else None
    key = model_id(row.key) if row else None
    chosen = key if key in known else default_model(context)
    words = gr.skip()
    if name and key not in known:
        words = status_html(_not_here(context, name, known=row is not None))
    return (
        gr.Dropdown(choices=choices, value=chosen),
        gr.Dropdown(choices=choices, value=opponent(context, chosen)),
        words,
    )


def wire_pickers(context: Context, tab: Any) -> None:
    """Choosing a model shows whether it fits; side by side begins with its best parent."""

    def chosen(mode: str, key: str | None, other: str | None) -> tuple[Any, ...]:
        status, send = fit(context, key)
        return status, send, opponent_update(context, mode, key, other)

    def changed(mode: str, key: str | None, other: str | None) -> Any:
        return opponent_update(context, mode, key, other)

    pickers = [tab.mode, tab.model, tab.other]
    tab.model.change(chosen, pickers, [tab.status, tab.send, tab.other], **QUIET)
    tab.mode.change(changed, pickers, tab.other, **QUIET)


def opponent_update(context: Context, mode: str, key: str | None, other: str | None) -> Any:
    """The second picker with fresh choices; a choice that still makes sense stays."""
    choices = model_choices(context)
    keeps = other is not None and other != key and other in {value for _, value in choices}
    value = other if keeps else opponent(context, key)
    return gr.Dropdown(choices=choices, value=value, visible=mode == SIDE_BY_SIDE)


def fit(context: Context, key: str | None) -> tuple[Any, Any]:
    """The state of a chosen model in words, and whether it may be asked."""
    model = find_model(context, key)
    if model is None:
        words = _not_here(context, key, known=False) if key else "Choose a model."
        return status_html(words), gr.Button(interactive=False)
    cache = context.chat_service.model_cache
    refused = cache.refusal(model)
    words = f"{model.name} {refused}" if refused else state_words(cache.state(model))
    return status_html(words), gr.Button(interactive=refused is None)


def _not_here(context: Context, name: str, *, known: bool) -> str:
    """Why a model cannot be asked, and the names most like it."""
    shown = name[:100]
    if known:
        return (
            f"“{shown}” cannot be asked here: its weights are not published or not on this machine."
        )
    similar = ", ".join(context.live.current.similar_names(name))
    return f"There is no model “{shown}” on this board; most like it: {similar}."
