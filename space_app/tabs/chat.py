"""The chat tab: one model, two side by side, or a blind vote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from leaderboard.render.data import model_id
from leaderboard.render.escape import html
from space_app.chat.desk import Question, Shown, fresh_seed, state_words
from space_app.chat.engine import ChatModel, Sampling, Turn
from space_app.chat.history import before_last_answer, messages, with_answer
from space_app.chat.models import chat_model, chat_models, choice_label
from space_app.context import Context
from space_app.tabs.blind import BlindRow, blind_row, wire_blind
from space_app.visitor import identity

MODES = ("One", "Side by side", "Blind vote")
PRIVACY = (
    "Nothing you write is stored unless you vote and tick “share this conversation”. A vote keeps"
    " the pair, the choice, the settings and a salted hash of who you are. These are untested"
    " models: expect wrong, odd or unpleasant answers."
)
COMPLETION = "Base model without chat template: it continues your text."


@dataclass(frozen=True, kw_only=True)
class ChatTab:
    """The tab's components, by what they are for."""

    mode: Any
    model: Any
    other: Any
    status: Any
    system: Any
    knobs: tuple[Any, ...]
    panes: tuple[Any, Any]
    stats: tuple[Any, Any]
    stops: tuple[Any, Any]
    right: Any
    message: Any
    send: Any
    stop: Any
    again: Any
    clear: Any
    turns: tuple[Any, Any]
    blind: BlindRow

    def choose(self, context: Context, word: str | None) -> Any:
        """The model picker set to a model from an address, its choices brought up to date."""
        choices = model_choices(context)
        known = {value for _, value in choices}
        row = context.live.current.find(word) if word else None
        key = model_id(row.key) if row else None
        return gr.Dropdown(choices=choices, value=key if key in known else default_model(context))


def chat_tab(context: Context) -> ChatTab:
    """Lay the tab out and wire it."""
    tab = _layout(context)
    _wire(context, tab)
    wire_blind(context, tab)
    return tab


def model_choices(context: Context) -> list[tuple[str, str]]:
    """Labels and ids of every model that can be talked to here."""
    residents = context.desk.residents
    found = chat_models(context.live.current, context.settings.weights, residents)
    return [(choice_label(model, residents), model.key) for model in found]


def default_model(context: Context) -> str | None:
    """The best merge that fits into memory, else the best model that does."""
    residents, snapshot = context.desk.residents, context.live.current
    fitting = [
        model
        for model in chat_models(snapshot, context.settings.weights, residents)
        if residents.refusal(model) is None
    ]
    merges = [model for model in fitting if snapshot.rows[model.key].kind == "merge"]
    return next((model.key for model in [*merges, *fitting]), None)


def find_model(context: Context, key: str | None) -> ChatModel | None:
    """The model of an id, None where it is gone."""
    row = context.live.current.find(key) if key else None
    return chat_model(row, context.settings.weights) if row else None


def _layout(context: Context) -> ChatTab:
    gr.HTML(
        f'<div class="mb mb-page"><h1 tabindex="-1">Chat</h1><p class="mb-lead">{PRIVACY}</p></div>',
        apply_default_css=False,
    )
    mode = gr.Radio(MODES, value=MODES[0], label="Mode", elem_id="chat-mode")
    with gr.Row():
        choices = model_choices(context)
        model = gr.Dropdown(
            choices, value=default_model(context), label="Model", elem_id="chat-model"
        )
        other = gr.Dropdown(choices, label="Against", elem_id="chat-other", visible=False)
    status = gr.HTML(
        status_html("Not loaded yet."), elem_id="chat-status", apply_default_css=False
    )
    system, knobs = _settings()
    with gr.Row(elem_id="chat-panes"):
        left = _pane("A", visible=True)
        right = _pane("B", visible=False)
    blind = blind_row(context)
    examples = _examples(context)
    message = gr.Textbox(
        label="Message", placeholder="Message…", lines=2, elem_id="chat-message",
        max_length=context.settings.limits.prompt, submit_btn=False,
    )  # fmt: skip
    with gr.Row():
        send = gr.Button("Send", variant="primary", elem_id="chat-send")
        stop = gr.Button("Stop", elem_id="chat-stop", interactive=False)
        again = gr.Button("Regenerate", elem_id="chat-again")
        clear = gr.Button("New conversation", elem_id="chat-clear")
    for button, prompt in examples:
        button.click(lambda prompt=prompt: prompt, None, message, api_visibility="private")
    return ChatTab(
        mode=mode, model=model, other=other, status=status, system=system, knobs=knobs,
        panes=(left[1], right[1]), stats=(left[2], right[2]), stops=(left[3], right[3]),
        right=right[0], message=message, send=send, stop=stop, again=again, clear=clear,
        turns=(gr.State(()), gr.State(())), blind=blind,
    )  # fmt: skip


def _settings() -> tuple[Any, tuple[Any, ...]]:
    with gr.Accordion("Settings", open=False, elem_id="chat-settings"):
        system = gr.Textbox(label="System prompt", lines=2, elem_id="chat-system")
        with gr.Row():
            knobs = (
                gr.Slider(0, 2, value=0.7, step=0.05, label="Temperature", elem_id="chat-heat"),
                gr.Slider(0.05, 1, value=0.9, step=0.05, label="Top-p"),
                gr.Slider(1, 1024, value=256, step=1, label="Most tokens", elem_id="chat-most"),
                gr.Slider(1, 2, value=1, step=0.05, label="Repetition penalty"),
                gr.Number(None, label="Seed (empty: random)", precision=0, elem_id="chat-seed"),
            )
        reset = gr.Button("Reset settings", size="sm")
        reset.click(
            lambda: ("", 0.7, 0.9, 256, 1, None), None, [system, *knobs], api_visibility="private"
        )
    return system, knobs


def _pane(letter: str, *, visible: bool) -> tuple[Any, Any, Any, Any]:
    with gr.Column(visible=visible, elem_id=f"chat-{letter}", min_width=280) as column:
        chatbot = gr.Chatbot(
            label=letter, height=420, elem_id=f"chat-pane-{letter}", allow_tags=False,
            sanitize_html=True, latex_delimiters=[], buttons=["copy"], feedback_options=None,
            placeholder="Ask something, or take one of the prompts below.",
        )  # fmt: skip
        stats = gr.HTML(stats_html(""), elem_id=f"chat-stats-{letter}", apply_default_css=False)
        stop = gr.Button(f"Stop {letter}", size="sm", visible=False, elem_id=f"chat-stop-{letter}")
    return column, chatbot, stats, stop


def _examples(context: Context) -> list[tuple[Any, str]]:
    suite = context.live.current.board.suite
    prompts = context.settings.examples.get(suite.suite, ()) if suite else ()
    with gr.Row(elem_id="chat-examples"):
        return [(gr.Button(prompt, size="sm"), prompt) for prompt in prompts[:4]]


def _wire(context: Context, tab: ChatTab) -> None:
    inputs = [tab.mode, tab.message, *tab.turns, tab.model, tab.other, tab.system, *tab.knobs]
    inputs.append(tab.blind.token)
    outputs = [
        tab.status, *tab.panes, *tab.stats, *tab.turns, tab.message, tab.send, tab.stop, tab.again,
        *tab.stops, tab.blind.token, tab.blind.votes,
    ]  # fmt: skip
    shared = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}

    def send(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        yield from converse(context, request, Form.of(values), again=False)

    def again(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        yield from converse(context, request, Form.of(values), again=True)

    back = {"js": "() => document.querySelector('#chat-message textarea').focus()"}
    for event in (tab.send.click, tab.message.submit):
        event(send, inputs, outputs, **shared).then(None, **back)
    tab.again.click(again, inputs, outputs, **shared)
    _wire_stops(context, tab)
    tab.clear.click(
        lambda: (*cleared(), ""), None, [*tab.turns, *tab.panes, *tab.stats, tab.message],
        api_visibility="private",
    )  # fmt: skip
    tab.mode.change(
        lambda mode: mode_changed(mode), tab.mode,
        [tab.model, tab.other, tab.right, tab.blind.row, tab.blind.token, tab.blind.reveal,
         *tab.turns, *tab.panes, *tab.stats],
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    tab.model.change(
        lambda key: fit(context, key), tab.model, [tab.status, tab.send],
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip


def _wire_stops(context: Context, tab: ChatTab) -> None:
    def stopper(side: int | None) -> Any:
        def stop(request: gr.Request) -> None:
            context.desk.stop(str(request.session_hash), side)

        return stop

    for button, side in ((tab.stop, None), (tab.stops[0], 0), (tab.stops[1], 1)):
        button.click(stopper(side), None, None, queue=False, api_visibility="private")


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
    seed: int | None
    token: str | None

    @classmethod
    def of(cls, values: tuple[Any, ...]) -> Form:
        """From the values in the order of the inputs."""
        mode, message, left, right, model, other, system, heat, top, most, penalty, seed, token = (
            values
        )
        chosen = fresh_seed() if seed is None else int(seed)
        sampling = Sampling(
            temperature=float(heat), top_p=float(top), max_tokens=int(most),
            repetition_penalty=float(penalty), seed=chosen,
        )  # fmt: skip
        return cls(
            mode=mode, message=message or "", turns=(_turns(left), _turns(right)), model=model,
            other=other, system=system or "", sampling=sampling, token=token,
            seed=None if seed is None else int(seed),
        )  # fmt: skip

    @property
    def sides(self) -> int:
        """How many answers are wanted."""
        return 1 if self.mode == MODES[0] else 2


def converse(
    context: Context, request: gr.Request, form: Form, *, again: bool
) -> Iterator[tuple[Any, ...]]:
    """From a message to its answers; yields updates of the tab's outputs."""
    if form.mode == MODES[2]:
        form = replace(form, turns=((), ()))  # every blind round is about one message
    histories = [_asked(turns, form.message, again=again) for turns in form.turns[: form.sides]]
    if not histories[0] or (not again and not form.message.strip()):
        yield view(form, Shown("Write a message first."), form.turns)
        return
    models, token, refusal = _models(context, form)
    if models is None:
        yield view(form, Shown(refusal), form.turns)
        return
    question = Question(
        visitor=identity(request, None).name, models=models,
        histories=tuple(histories), system=form.system, sampling=form.sampling,
        lockstep=form.mode == MODES[2],
    )  # fmt: skip
    turns: tuple[tuple[Turn, ...], ...] = tuple(histories)
    shown = Shown("Starting…")
    for shown in context.desk.ask(str(request.session_hash), question):
        if shown.answers:
            turns = tuple(
                with_answer(history, one.text)
                for history, one in zip(histories, shown.answers, strict=True)
            )
            context.booth.answered(token or "", [one.text for one in shown.answers])
        yield view(form, shown, turns, token=token, running=True)
    if not shown.answers:
        turns = form.turns
    yield view(form, shown, turns, token=token, keep_message=not shown.answers)


def _models(
    context: Context, form: Form
) -> tuple[tuple[ChatModel, ...] | None, str | None, str]:
    """Whom to ask: as chosen, or as drawn in a blind round; else why nobody can be asked."""
    if form.mode == MODES[2]:
        return _blind_models(context, form)
    keys = (form.model, form.other)[: form.sides]
    found = [find_model(context, key) for key in keys]
    models = tuple(model for model in found if model is not None)
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
    rows = [
        row
        for row in context.live.current.board.rows
        if (model := chat_model(row, weights)) and residents.engine_for(model)
    ]
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


def view(
    form: Form,
    shown: Shown,
    turns: tuple[tuple[Turn, ...], ...],
    *,
    token: str | None = None,
    running: bool = False,
    keep_message: bool = True,
) -> tuple[Any, ...]:
    """Values for the tab's outputs. In a blind round nothing here names or times a model."""
    blind = form.mode == MODES[2]
    left, right = turns[0], turns[1] if len(turns) > 1 else ()
    answers = shown.answers
    stats = ["" if blind else one.stats for one in answers] + ["", ""]
    notes = "" if blind or None not in shown.templates else f" {COMPLETION}"
    status = "Working…" if blind and running and not answers else shown.status + notes
    votable = blind and bool(answers) and _votable(answers)
    return (
        status_html(status), messages(left), messages(right), stats_html(stats[0]),
        stats_html(stats[1]), left, right, gr.skip() if keep_message and not running else "",
        gr.Button(interactive=not running), gr.Button(interactive=running),
        gr.Button(interactive=not running),
        gr.Button(visible=running and form.sides == 2), gr.Button(visible=running and form.sides == 2),
        token or form.token, gr.Row(visible=votable),
    )  # fmt: skip


def _votable(answers: tuple[Any, ...]) -> bool:
    """Both have a sentence, or one has ended: nobody has to wait for the slower side."""
    sentences = [any(end in one.text for end in ".!?\n") for one in answers]
    return all(sentences) or any(one.done for one in answers)


def cleared() -> tuple[Any, ...]:
    """Empty conversations."""
    return (), (), [], [], stats_html(""), stats_html("")


def mode_changed(mode: str) -> tuple[Any, ...]:
    """Which pickers and panes a mode shows; every mode starts empty."""
    blind, two = mode == MODES[2], mode != MODES[0]
    return (
        gr.Dropdown(visible=not blind), gr.Dropdown(visible=mode == MODES[1]),
        gr.Column(visible=two), gr.Column(visible=blind), None, "", *cleared(),
    )  # fmt: skip


def fit(context: Context, key: str | None) -> tuple[Any, ...]:
    """The state of a chosen model in words, and whether it may be asked."""
    model = find_model(context, key)
    if model is None:
        return status_html("Choose a model."), gr.Button(interactive=False)
    residents = context.desk.residents
    refused = residents.refusal(model)
    words = f"{model.name} {refused}" if refused else state_words(residents.state(model))
    return status_html(words), gr.Button(interactive=refused is None)


def status_html(words: str) -> str:
    """The state in words, announced when it changes."""
    return f'<p class="mb chat-status" role="status" aria-live="polite">{html(words)}</p>'


def stats_html(words: str) -> str:
    """Speed and ending below an answer."""
    return f'<p class="mb chat-stats">{html(words)}</p>'


def _asked(turns: tuple[Turn, ...], message: str, *, again: bool) -> tuple[Turn, ...]:
    return before_last_answer(turns) if again else (*turns, Turn("user", message))


def _turns(value: Any) -> tuple[Turn, ...]:
    return tuple(Turn(*turn) for turn in value or ())
