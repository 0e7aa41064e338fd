"""From what the chat tab's inputs hold to the stream of its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from space_app.app_context import Context
from space_app.chat.chat_backend import ChatModel, Sampling, Turn
from space_app.chat.chat_models import chat_model, chat_models
from space_app.chat.chat_service import Question, Shown, fresh_seed
from space_app.chat.history import before_last_answer, with_answer
from space_app.tabs.chat_view import BLIND, ONE, view
from space_app.tabs.template_picker import lent
from space_app.visitor import identity


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the tab's inputs hold when a message is sent."""

    mode: str
    message: str
    turns: tuple[tuple[Turn, ...], tuple[Turn, ...]]
    model: str | None
    other: str | None
    system: str
    sampling: Sampling
    token: str | None
    made: ChatModel | None
    lenders: tuple[str | None, str | None]

    @classmethod
    def of(cls, values: tuple[Any, ...]) -> Form:
        """From the values in the order of the inputs."""
        mode, message, left, right, model, other, system, heat, top, most, *rest = values
        penalty, seed, token, made, *lenders = rest
        chosen = fresh_seed() if seed is None else int(seed)
        sampling = Sampling(
            temperature=float(heat), top_p=float(top), max_tokens=int(most),
            repetition_penalty=float(penalty), seed=chosen,
        )  # fmt: skip
        return cls(
            mode=mode, message=message or "", turns=(_turns(left), _turns(right)), model=model,
            other=other, system=system or "", sampling=sampling, token=token, made=made,
            lenders=(lenders[0], lenders[1]),
        )  # fmt: skip

    @property
    def sides(self) -> int:
        """How many answers are wanted."""
        return 1 if self.mode == ONE else 2


def converse(
    context: Context, request: gr.Request, form: Form, *, again: bool
) -> Iterator[tuple[Any, ...]]:
    """From a message to its answers; yields updates of the tab's outputs."""
    asked, refusal = _question(context, request, form, again=again)
    if asked is None:
        yield view(form.turns, Shown(refusal), mode=form.mode, token=form.token)
        return
    question, token = asked
    turns, shown, begun = question.histories, Shown("Starting…"), again
    for shown in context.desk.ask(str(request.session_hash), question):
        if shown.answers:
            turns = tuple(
                with_answer(history, one.text)
                for history, one in zip(question.histories, shown.answers, strict=True)
            )
            context.booth.answered(token or "", [one.text for one in shown.answers])
        clear = bool(shown.answers) and not begun  # a message that is refused stays in the box
        begun = begun or clear
        yield view(turns, shown, mode=form.mode, token=token, running=True, clear=clear)
    if not shown.answers:
        context.booth.close(token or "")
        yield view(form.turns, shown, mode=form.mode, token=form.token)
        return
    yield view(turns, shown, mode=form.mode, token=token)


def _question(
    context: Context, request: gr.Request, form: Form, *, again: bool
) -> tuple[tuple[Question, str | None] | None, str]:
    """The question with its blind round's token, or None and why it cannot be asked."""
    blind = form.mode == BLIND
    if blind:  # every blind round is about one message
        form = replace(form, turns=((), ()))
    histories = [_asked(turns, form.message, again=again) for turns in form.turns[: form.sides]]
    if not histories[0] or (not again and not form.message.strip()):
        return None, "Write a message first."
    models, token, refusal = _models(context, form)
    if models is None:
        return None, refusal
    question = Question(
        visitor=identity(request, None).name,
        models=models,
        histories=tuple(histories),
        system=form.system,
        sampling=form.sampling,
        lockstep=blind,
    )
    return (question, token), ""


def _models(context: Context, form: Form) -> tuple[tuple[ChatModel, ...] | None, str | None, str]:
    """Whom to ask: as chosen, or as drawn in a blind round; else why nobody can be asked."""
    if form.mode == BLIND:
        return _blind_models(context, form)
    keys = (form.model, form.other)[: form.sides]
    found = [find_model(context, key) for key in keys]
    if form.made is not None and found and found[0] is not None:
        found[0] = form.made
    models = tuple(
        lent(context, model, lender)
        for model, lender in zip(found, form.lenders, strict=False)
        if model is not None
    )
    if len(models) < form.sides:
        return None, None, "Choose a model first." if form.sides == 1 else "Choose two models."
    if form.sides == 2 and models[0].key == models[1].key:
        return None, None, "These are the same model: choose another to compare with."
    return models, None, ""


def _blind_models(
    context: Context, form: Form
) -> tuple[tuple[ChatModel, ...] | None, str | None, str]:
    current = context.booth.round(form.token)
    if current is not None and current.asked and not current.voted:
        return None, None, "Vote for the answers above first, or skip this round."
    residents, weights = context.desk.residents, context.settings.weights
    snapshot = context.live.current
    rows = [snapshot.rows[model.key] for model in chat_models(snapshot, weights, residents)]
    made = context.booth.open(rows)
    if made is None:
        return None, None, "There are no two related models here to choose between."
    made.asked = True
    made.settings = {
        "temperature": form.sampling.temperature, "top_p": form.sampling.top_p,
        "max_tokens": form.sampling.max_tokens, "seed": form.sampling.seed,
    }  # fmt: skip
    pair = tuple(
        model for row in (made.left, made.right) if (model := chat_model(row, weights)) is not None
    )
    return pair, made.token, ""


def find_model(context: Context, key: str | None) -> ChatModel | None:
    """The model of an id, None where it is gone."""
    row = context.live.current.find(key) if key else None
    return chat_model(row, context.settings.weights) if row else None


def _asked(turns: tuple[Turn, ...], message: str, *, again: bool) -> tuple[Turn, ...]:
    return before_last_answer(turns) if again else (*turns, Turn("user", message))


def _turns(value: Any) -> tuple[Turn, ...]:
    return tuple(Turn(*turn) for turn in value or ())
