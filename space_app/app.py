"""Puts the tabs together."""

from __future__ import annotations

from typing import Any

import gradio as gr

from space_app.api import add_endpoints
from space_app.context import Context
from space_app.routes import board_routes
from space_app.settings import Settings
from space_app.static import head
from space_app.tabs.chat import ChatTab, chat_tab
from space_app.tabs.leaderboard import board_component, refreshed
from space_app.tabs.model import ModelTab, model_tab, show_model

TABS = ("board", "model", "compare", "chat", "submit")


class Space:
    """The whole application; `launch` serves it."""

    def __init__(self, settings: Settings) -> None:
        self.context = Context.of(settings)
        self.blocks = self._build()

    def launch(self, **options: Any) -> Any:
        """Serve; options go to Gradio's launch. Returns what it returns."""
        self.context.live.keep_fresh(self.context.settings.refresh_seconds)
        self.blocks.queue(default_concurrency_limit=20, max_size=200)
        return self.blocks.launch(
            head=head(),
            theme=gr.themes.Default(primary_hue="blue"),
            app_kwargs={"routes": board_routes(self.context.live)},
            ssr_mode=False,
            footer_links=["api"],
            **options,
        )

    def _build(self) -> Any:
        context = self.context
        blocks = gr.Blocks(title=context.settings.title, analytics_enabled=False, fill_width=True)
        with blocks:
            with gr.Tabs(selected="board") as tabs:
                with gr.Tab("Leaderboard", id="board") as board_holder:
                    board = board_component(context)
                with gr.Tab("Model", id="model") as model_holder:
                    model = model_tab(context)
                with gr.Tab("Chat", id="chat") as chat_holder:
                    chat = chat_tab(context)
            _follow(board_holder, "board")
            _follow(model_holder, "model")
            _follow(chat_holder, "chat")
            _open_models(context, tabs, board, model)
            _arrive(context, blocks, tabs, board, model, chat)
            add_endpoints(context)
        return blocks


def _follow(tab: Any, name: str) -> None:
    """The address says which tab is open."""
    tab.select(None, js=f"() => mergebot.goTab('{name}')")


def _open_models(context: Context, tabs: Any, board: Any, model: ModelTab) -> None:
    def opened(event: gr.EventData) -> tuple[Any, ...]:
        row = context.live.current.find(event.model)
        choice = event.model if row else None
        return gr.Tabs(selected="model"), choice, show_model(context, event.model)

    shown = [tabs, model.picker, model.page]
    board.open(opened, None, shown, show_progress="hidden", api_visibility="private")
    model.page.open(opened, None, shown, show_progress="hidden", api_visibility="private")
    model.picker.input(
        lambda word: show_model(context, word), model.picker, model.page,
        js="(id) => { mergebot.goModel(id); return id; }",
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip


def _arrive(
    context: Context, blocks: Any, tabs: Any, board: Any, model: ModelTab, chat: ChatTab
) -> None:
    """What the address asks for when the page is opened."""
    built = board.value

    def arrived(request: gr.Request) -> tuple[Any, ...]:
        query = request.query_params
        word, tab = query.get("model"), query.get("tab")
        tab = tab if tab in TABS else "model" if word else "board"
        row = context.live.current.find(word) if word else None
        page = show_model(context, word) if word and tab == "model" else gr.skip()
        return (
            gr.Tabs(selected=tab),
            refreshed(context, built),
            word if row and tab == "model" else gr.skip(),
            page,
            chat.choose(context, word) if tab == "chat" else gr.skip(),
        )

    outputs = [tabs, board, model.picker, model.page, chat.model]
    loaded = blocks.load(arrived, None, outputs, show_progress="hidden", api_visibility="private")
    loaded.then(None, js="() => mergebot.arrived()")
