"""The chat tab: one model, two side by side, or a blind vote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from leaderboard.render.board_json import model_id
from space_app.app_context import Context
from space_app.chat.chat_models import chat_models, choice_label
from space_app.chat.chat_service import state_words
from space_app.tabs.blind_vote_row import BlindRow, blind_row, wire_blind
from space_app.tabs.chat_stream import Form, converse, find_model
from space_app.tabs.chat_view import MODES, cleared, mode_changed, stats_html, status_html
from space_app.tabs.merge_slider import MergeSlider, live_slider, wire_slider
from space_app.tabs.template_picker import lender_picker, wire_lenders

PRIVACY = (
    "Nothing you write is stored unless you vote and tick “share this conversation”. A vote keeps"
    " the pair, the choice, the settings and a salted hash of who you are. These are untested"
    " models: expect wrong, odd or unpleasant answers."
)
PANE_TABS = (
    '<div class="mb pane-tabs" role="tablist" aria-label="Answers">'
    '<button type="button" role="tab" data-pane="A" aria-selected="true"'
    ' aria-controls="chat-A">A</button>'
    '<button type="button" role="tab" data-pane="B" aria-selected="false" tabindex="-1"'
    ' aria-controls="chat-B">B</button></div>'
)


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
    tabs: Any
    message: Any
    send: Any
    stop: Any
    again: Any
    clear: Any
    turns: tuple[Any, Any]
    blind: BlindRow
    slider: MergeSlider
    lenders: tuple[Any, Any]

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
    wire_slider(context, tab.slider, mode=tab.mode, model=tab.model, status=tab.status)
    wire_lenders(context, tab.lenders, mode=tab.mode, model=tab.model, other=tab.other)
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


def _layout(context: Context) -> ChatTab:
    gr.HTML(
        '<div class="mb mb-page mb-short"><h1 tabindex="-1">Chat</h1>'
        f'<p class="mb-lead">{PRIVACY}</p></div>',
        apply_default_css=False,
    )
    mode = gr.Radio(MODES, value=MODES[0], label="Mode", elem_id="chat-mode")
    with gr.Row():
        choices = model_choices(context)
        model = gr.Dropdown(
            choices,
            value=default_model(context),
            label="Model",
            elem_id="chat-model",
            min_width=240,
        )
        other = gr.Dropdown(
            choices, label="Against", elem_id="chat-other", visible=False, min_width=240
        )
    with gr.Row():
        lenders = (
            lender_picker(context, default_model(context), "A"),
            lender_picker(context, None, "B"),
        )
    status = gr.HTML(status_html("Not loaded yet."), elem_id="chat-status", apply_default_css=False)
    slider = live_slider(context, default_model(context))
    system, knobs = _settings()
    tabs = gr.HTML(
        PANE_TABS,
        elem_id="chat-tabs", visible=False, apply_default_css=False,
        js_on_load="mergebot.paneTabs(element);",
    )  # fmt: skip
    with gr.Row(elem_id="chat-panes"):
        left = _pane("A", visible=True)
        right = _pane("B", visible=False)
    blind = blind_row(context)
    examples = _examples(context)
    message = gr.Textbox(
        label="Message", placeholder="Message…", lines=1, max_lines=8, elem_id="chat-message",
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
        right=right[0], tabs=tabs, message=message, send=send, stop=stop, again=again, clear=clear,
        turns=(gr.State(()), gr.State(())), blind=blind, slider=slider,
        lenders=lenders,
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
            label=letter, height=340, autoscroll=False, elem_id=f"chat-pane-{letter}",
            allow_tags=False,
            sanitize_html=True, latex_delimiters=[], buttons=["copy"], feedback_options=None,
            placeholder="Ask something, or take one of the prompts below.",
        )  # fmt: skip
        stats = gr.HTML(
            stats_html(""), elem_id=f"chat-stats-{letter}", apply_default_css=False,
            js_on_load=f"mergebot.follow('chat-pane-{letter}');",
        )  # fmt: skip
        stop = gr.Button(f"Stop {letter}", size="sm", visible=False, elem_id=f"chat-stop-{letter}")
    return column, chatbot, stats, stop


def _examples(context: Context) -> list[tuple[Any, str]]:
    suite = context.live.current.board.suite
    prompts = context.settings.examples.get(suite.suite, ()) if suite else ()
    with gr.Row(elem_id="chat-examples"):
        return [(gr.Button(prompt, size="sm"), prompt) for prompt in prompts[:4]]


def _wire(context: Context, tab: ChatTab) -> None:
    inputs = [tab.mode, tab.message, *tab.turns, tab.model, tab.other, tab.system, *tab.knobs]
    inputs += [tab.blind.token, tab.slider.made, *tab.lenders]
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
    emptied = [*tab.turns, *tab.panes, *tab.stats]
    for event in (tab.clear.click, tab.panes[0].clear, tab.panes[1].clear):
        event(cleared, None, emptied, api_visibility="private")
    tab.mode.change(
        mode_changed, tab.mode,
        [tab.model, tab.other, tab.right, tab.tabs, tab.blind.row, tab.blind.token,
         tab.blind.reveal, *tab.turns, *tab.panes, *tab.stats],
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


def fit(context: Context, key: str | None) -> tuple[Any, ...]:
    """The state of a chosen model in words, and whether it may be asked."""
    model = find_model(context, key)
    if model is None:
        return status_html("Choose a model."), gr.Button(interactive=False)
    residents = context.desk.residents
    refused = residents.refusal(model)
    words = f"{model.name} {refused}" if refused else state_words(residents.state(model))
    return status_html(words), gr.Button(interactive=refused is None)
