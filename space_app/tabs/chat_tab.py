"""The chat tab: one model, two side by side, or a blind vote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from space_app.app_context import Context
from space_app.tabs.blind_vote_row import BlindRow, blind_row, wire_blind
from space_app.tabs.chat_form import DEFAULT_SETTINGS, Form
from space_app.tabs.chat_pickers import choose_models, default_model, model_choices, wire_pickers
from space_app.tabs.chat_stream import converse
from space_app.tabs.chat_view import (
    MODES,
    cleared,
    mode_changed,
    round_cleared,
    stats_html,
    status_html,
)
from space_app.tabs.merge_slider import MergeSlider, merge_slider, wire_slider
from space_app.tabs.template_picker import template_picker, wire_template_pickers

PRIVACY = (
    "Nothing you write is stored unless you vote and tick “share this conversation”. A vote stores"
    " the pair, the choice, the settings and a salted hash of who you are. A cookie tells browsers"
    " apart for limits and for deleting votes. Answers may be wrong, odd or unpleasant."
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
    sampling_inputs: tuple[Any, ...]
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
    template_sources: tuple[Any, Any]

    def choose(self, context: Context, name: str | None) -> tuple[Any, ...]:
        """Updates of both pickers and the status for a model named in an address."""
        return choose_models(context, name)


def chat_tab(context: Context) -> ChatTab:
    """Lay the tab out and wire it."""
    tab = _layout(context)
    _wire(context, tab)
    wire_blind(context, tab)
    wire_slider(context, tab.slider, mode=tab.mode, model=tab.model, status=tab.status)
    wire_template_pickers(
        context, tab.template_sources, mode=tab.mode, model=tab.model, other=tab.other
    )
    return tab


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
        template_sources = (
            template_picker(context, default_model(context), "A"),
            template_picker(context, None, "B"),
        )
    status = gr.HTML(status_html("Not loaded yet."), elem_id="chat-status", apply_default_css=False)
    slider = merge_slider(context, default_model(context))
    system, sampling_inputs = _settings()
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
        mode=mode, model=model, other=other, status=status, system=system,
        sampling_inputs=sampling_inputs,
        panes=(left[1], right[1]), stats=(left[2], right[2]), stops=(left[3], right[3]),
        right=right[0], tabs=tabs, message=message, send=send, stop=stop, again=again, clear=clear,
        turns=(gr.State(()), gr.State(())), blind=blind, slider=slider,
        template_sources=template_sources,
    )  # fmt: skip


def _settings() -> tuple[Any, tuple[Any, ...]]:
    with gr.Accordion("Settings", open=False, elem_id="chat-settings"):
        system = gr.Textbox(label="System prompt", lines=2, elem_id="chat-system", max_length=2_560)
        with gr.Row():
            sampling_inputs = (
                gr.Slider(0, 2, value=0.7, step=0.05, label="Temperature", elem_id="chat-heat"),
                gr.Slider(0.05, 1, value=0.9, step=0.05, label="Top-p"),
                gr.Slider(1, 1024, value=256, step=1, label="Max tokens", elem_id="chat-most"),
                gr.Slider(1, 2, value=1, step=0.05, label="Repetition penalty"),
                gr.Textbox(
                    "",
                    label="Seed (empty: random)",
                    max_length=10,
                    lines=1,
                    max_lines=1,
                    elem_id="chat-seed",
                ),
            )
        reset = gr.Button("Reset settings", size="sm")
        reset.click(
            lambda: DEFAULT_SETTINGS,
            None,
            [system, *sampling_inputs],
            api_visibility="private",
        )
    return system, sampling_inputs


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
    inputs = [
        tab.mode,
        tab.message,
        *tab.turns,
        tab.model,
        tab.other,
        tab.system,
        *tab.sampling_inputs,
    ]
    inputs += [tab.blind.token, tab.slider.scale, *tab.template_sources, tab.panes[0]]
    outputs = [
        tab.status, *tab.panes, *tab.stats, *tab.turns, tab.message, tab.send, tab.stop, tab.again,
        *tab.stops, tab.blind.token, tab.blind.votes, tab.blind.reveal,
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
    _wire_clear(context, tab)
    tab.mode.change(
        mode_changed, tab.mode,
        [tab.model, tab.right, tab.tabs, tab.blind.row, tab.blind.token, tab.blind.votes,
         tab.blind.reveal, *tab.turns, *tab.panes, *tab.stats],
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    wire_pickers(context, tab)


def _wire_stops(context: Context, tab: ChatTab) -> None:
    def stopper(side: int | None) -> Any:
        def stop(request: gr.Request) -> None:
            context.chat_service.stop(str(request.session_hash), side)

        return stop

    for button, side in ((tab.stop, None), (tab.stops[0], 0), (tab.stops[1], 1)):
        button.click(stopper(side), None, None, queue=False, api_visibility="private")


def _wire_clear(context: Context, tab: ChatTab) -> None:
    """A new conversation ends the running answer and the blind round."""

    def clear(token: str | None, request: gr.Request) -> tuple[Any, ...]:
        context.chat_service.stop(str(request.session_hash))
        context.voting.close(token or "")
        return *cleared(), *round_cleared()

    emptied = [
        *tab.turns, *tab.panes, *tab.stats, tab.blind.token, tab.blind.votes, tab.blind.reveal,
    ]  # fmt: skip
    for event in (tab.clear.click, tab.panes[0].clear, tab.panes[1].clear):
        event(clear, tab.blind.token, emptied, show_progress="hidden", api_visibility="private")
