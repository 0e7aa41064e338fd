"""The application: its tabs, routes, middleware and limits."""

from __future__ import annotations

import os
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from space_app.api import add_endpoints
from space_app.app_context import Context
from space_app.navigation import TABS, open_from_address, open_models
from space_app.page_tags import PageTagsMiddleware
from space_app.routes import board_routes
from space_app.space_settings import Settings
from space_app.static import head
from space_app.tabs.chat_tab import chat_tab
from space_app.tabs.compare_tab import compare_tab
from space_app.tabs.leaderboard_tab import board_component
from space_app.tabs.model_tab import model_tab
from space_app.tabs.submit_tab import stored_recipe, submit_tab
from space_app.visitor import CookieMiddleware

LARGEST_UPLOAD = 300_000
"""Bytes of an uploaded file; a recipe has at most 64 KB."""


class Space:
    """The whole application; `launch` serves it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.blocks = self._build()

    @classmethod
    def of(cls, settings: Settings) -> Space:
        """The application for these settings."""
        return cls(Context.of(settings))

    def launch(self, **options: Any) -> Any:
        """Serve; options go to Gradio's ``launch``, whose result is returned."""
        settings = self.context.settings
        self.context.live.keep_fresh(settings.refresh_seconds)
        if self.context.votes is not None:
            self.context.votes.sync_every(settings.votes_seconds)
        # uvicorn believes a forwarded address from this machine by default; `visitor` decides that.
        os.environ["FORWARDED_ALLOW_IPS"] = ""
        self.blocks.queue(default_concurrency_limit=20, max_size=200)
        return self.blocks.launch(
            head=head(),
            theme=theme(),
            app_kwargs={
                "routes": board_routes(self.context.live, self.context.voting),
                "middleware": [
                    Middleware(CookieMiddleware, cookie=self.context.visitors.cookie),
                    Middleware(PageTagsMiddleware, title=settings.title),
                ],
            },
            max_file_size=LARGEST_UPLOAD,
            ssr_mode=False,
            footer_links=["api"],
            **options,
        )

    def _build(self) -> Any:
        context = self.context
        blocks = gr.Blocks(title=context.settings.title, analytics_enabled=False, fill_width=True)
        with blocks:
            kept = stored_recipe(context)
            with gr.Tabs(selected="board") as tabs:
                with gr.Tab("Leaderboard", id="board") as board_holder:
                    board = board_component(context)
                with gr.Tab("Model", id="model") as model_holder:
                    model = model_tab(context)
                with gr.Tab("Compare", id="compare") as compare_holder:
                    compared = compare_tab(context)
                with gr.Tab("Chat", id="chat") as chat_holder:
                    chat = chat_tab(context)
                with gr.Tab("Submit", id="submit") as submit_holder:
                    submitted = submit_tab(context, kept)
            holders = (board_holder, model_holder, compare_holder, chat_holder, submit_holder)
            for holder, name in zip(holders, TABS, strict=True):
                # The address says which tab is open.
                holder.select(None, js=f"() => mergebot.goTab('{name}')")
            open_models(context, tabs, model, (board, compared.page, submitted.result))
            open_from_address(context, blocks, tabs, board, model, compared, chat)
            blocks.load(
                lambda text: text, submitted.kept, submitted.recipe,
                show_progress="hidden", api_visibility="private",
            )  # fmt: skip
            add_endpoints(context)
        return blocks


def theme() -> Any:
    """Gradio's own, with a blue on which white text can be read."""
    blue, darker = "#1d4ed8", "#1e40af"
    return gr.themes.Default(primary_hue="blue").set(
        button_primary_background_fill=blue,
        button_primary_background_fill_dark=blue,
        button_primary_background_fill_hover=darker,
        button_primary_background_fill_hover_dark=darker,
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
    )
