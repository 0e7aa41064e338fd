"""From the chat tab's inputs to the stream of its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from space_app.app_context import Context
from space_app.chat.chat_backend import ChatModel, Turn
from space_app.chat.chat_models import chat_model, chat_models
from space_app.chat.chat_service import ChatUpdate, Question
from space_app.chat.history import before_last_answer, with_answer
from space_app.tabs.chat_form import Form
from space_app.tabs.chat_view import BLIND, view, votable
from space_app.tabs.template_picker import with_template_of

LOST = (
    "The Space was restarted and no longer has the earlier conversation: this message began a new"
    " one."
)
NO_VOTE = (
    "An answer failed or is empty, so this round cannot be voted on. Write the next message for a"
    " new round."
)


def converse(
    context: Context, request: gr.Request, form: Form, *, again: bool
) -> Iterator[tuple[Any, ...]]:
    """From a message to its answers; yields updates of the tab's outputs."""
    asked, refusal = _question(context, request, form, again=again)
    if asked is None:
        yield view(form.turns, ChatUpdate(refusal), mode=form.mode, token=form.token)
        return
    question, token = asked
    labels = [context.rescaler.label(model) for model in question.models]
    turns, shown, begun, begins = question.histories, ChatUpdate("Starting…"), again, True
    for shown in context.chat_service.ask(str(request.session_hash), question):
        if shown.answers:
            turns = tuple(
                with_answer(history, one.text, label)
                for history, one, label in zip(
                    question.histories, shown.answers, labels, strict=True
                )
            )
            context.voting.answered(
                token or "", [one.text for one in shown.answers],
                failed=any(one.failure for one in shown.answers),
            )  # fmt: skip
        clear = bool(shown.answers) and not begun  # a message that is refused stays in the box
        begun = begun or clear
        yield view(
            turns, shown, mode=form.mode, token=token, running=True, clear=clear,
            voted=_voted(context, token), begins=begins and form.mode == BLIND,
        )  # fmt: skip
        begins = False
    yield _last(context, form, turns, shown, token)


def _last(
    context: Context,
    form: Form,
    turns: tuple[tuple[Turn, ...], ...],
    shown: ChatUpdate,
    token: str | None,
) -> tuple[Any, ...]:
    """The outputs when nothing more comes. A blind round without a vote to give is closed."""
    if not shown.answers:
        context.voting.close(token or "")
        return view(form.turns, shown, mode=form.mode, token=form.token)
    voted = _voted(context, token)
    if form.mode == BLIND and not voted and not votable(shown.answers):
        context.voting.close(token or "")
        return view(
            turns, replace_status(shown, NO_VOTE), mode=form.mode, token=None, running=False
        )
    if form.lost and form.mode != BLIND:
        shown = replace_status(shown, f"{shown.status} {LOST}")
    return view(turns, shown, mode=form.mode, token=token, voted=voted)


def replace_status(shown: ChatUpdate, status: str) -> ChatUpdate:
    """The same update with other words."""
    return shown._replace(status=status)


def _voted(context: Context, token: str | None) -> bool:
    found = context.voting.round(token)
    return found is not None and found.voted


def _question(
    context: Context, request: gr.Request, form: Form, *, again: bool
) -> tuple[tuple[Question, str | None] | None, str]:
    """The question with its blind round's token, or None and why it cannot be asked."""
    if form.problem:
        return None, form.problem
    blind = form.mode == BLIND
    if blind:  # every blind round is about one message
        form = replace(form, turns=((), ()))
    elif again and form.lost:
        return None, "The Space was restarted and no longer has this conversation: ask again."
    histories = [_asked(turns, form.message, again=again) for turns in form.turns[: form.sides]]
    if not histories[0] or (not again and not form.message.strip()):
        return None, "Write a message first."
    models, token, refusal = _models(context, form)
    if models is None:
        return None, refusal
    visitor = context.visitors.identify(request, None)
    question = Question(
        visitor=visitor.name,
        address=visitor.address,
        models=models,
        histories=tuple(histories),
        system=form.system,
        sampling=form.sampling,
        lockstep=blind,
    )
    return (question, token), ""


def _models(context: Context, form: Form) -> tuple[tuple[ChatModel, ...] | None, str | None, str]:
    """The models to ask: as chosen, or as drawn in a blind round; else why none can be asked."""
    if form.mode == BLIND:
        return _blind_models(context, form)
    keys = (form.model, form.other)[: form.sides]
    found = [find_model(context, key) for key in keys]
    if found[0] is not None:
        found[0] = context.rescaler.at_scale(found[0], form.scale)
    models = tuple(
        with_template_of(context, model, source)
        for model, source in zip(found, form.template_sources, strict=False)
        if model is not None
    )
    if len(models) < form.sides:
        return None, None, _missing(form, keys)
    if form.sides == 2 and models[0].key == models[1].key:
        return None, None, "These are the same model: choose another to compare with."
    return models, None, ""


def _missing(form: Form, keys: tuple[str | None, ...]) -> str:
    if all(keys):
        return "This model is not on the board any more: choose another."
    return "Choose a model first." if form.sides == 1 else "Choose two models."


def _blind_models(
    context: Context, form: Form
) -> tuple[tuple[ChatModel, ...] | None, str | None, str]:
    current = context.voting.round(form.token)
    if current is not None and current.asked and not current.voted:
        return None, None, "Vote for the answers above first, or skip this round."
    weights = context.settings.weights
    snapshot = context.live.current
    runnable = chat_models(snapshot, weights, context.chat_service.model_cache)
    opened = context.voting.open([snapshot.rows[model.key] for model in runnable])
    if opened is None:
        return None, None, "There are no two related models here to choose between."
    opened.asked = True
    opened.settings = {
        "temperature": form.sampling.temperature, "top_p": form.sampling.top_p,
        "max_tokens": form.sampling.max_tokens, "seed": form.sampling.seed,
    }  # fmt: skip
    pair = tuple(
        model
        for row in (opened.left, opened.right)
        if (model := chat_model(row, weights)) is not None
    )
    return pair, opened.token, ""


def find_model(context: Context, key: str | None) -> ChatModel | None:
    """The model of an id; None where it is not on the board or has no weights."""
    row = context.live.current.find(key) if key else None
    return chat_model(row, context.settings.weights) if row else None


def _asked(turns: tuple[Turn, ...], message: str, *, again: bool) -> tuple[Turn, ...]:
    return before_last_answer(turns) if again else (*turns, Turn("user", message))
