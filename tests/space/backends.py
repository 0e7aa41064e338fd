"""A chat backend whose every answer is known beforehand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from space_app.chat.chat_backend import ChatModel, LoadState, Piece, Request, Template


class ScriptedBackend:
    """Answers with the model's script for a prompt, one word a token.

    Args:
        scripts: prompt -> answer; other prompts are answered with ``<name> heard: <prompt>``
            without the name where ``anonymous``.
        pause: seconds between tokens.
        templates: names of models that have a chat template; None means all.
    """

    name = "scripted"
    accepts_templates = True

    def __init__(
        self,
        scripts: dict[str, str] | None = None,
        *,
        pause: float = 0.0,
        templates: set[str] | None = None,
        broken: set[str] | None = None,
    ) -> None:
        self.scripts = scripts or {}
        self.pause = pause
        self.templates = templates
        self.broken = broken or set()
        self.loaded: list[str] = []
        self.unloaded: list[str] = []
        self.requests: list[Request] = []

    def offers(self, model: ChatModel) -> bool:
        return bool(model.location)

    def load(self, model: ChatModel) -> Iterator[LoadState]:
        yield LoadState("loading", total=model.size or 0)
        if model.name in self.broken:
            yield LoadState("failed", f"{model.name} is broken")
            return
        self.loaded.append(model.name)
        yield LoadState("ready")

    def is_loaded(self, model: ChatModel) -> bool:
        return model.name in self.loaded

    def unload(self, model: ChatModel) -> None:
        self.unloaded.append(model.name)

    def template(self, model: ChatModel) -> Template | None:
        known = self.templates is None or model.name in self.templates
        if known:
            return Template(system=True)
        return (
            Template(system=True, template_source=model.template_source.name)
            if model.template_source
            else None
        )

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        self.requests.append(request)
        prompt = request.turns[-1].content
        if prompt == "crash":
            yield Piece("The answer")
            raise RuntimeError("CUDA out of memory")
        words = self.scripts.get(prompt, f"You said: {prompt}").split(" ")
        for place, word in enumerate(words):
            if stop.is_set():
                yield Piece("", 0, "stopped")
                return
            if place >= request.sampling.max_tokens:
                yield Piece("", 0, "length")
                return
            yield Piece(word if place == 0 else " " + word)
            time.sleep(self.pause)
        yield Piece("", 0, "end")
