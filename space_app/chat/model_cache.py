"""Which models are in memory: least recently used ones leave, too big ones are refused early."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from leaderboard.number_format import memory as in_words
from space_app.chat.chat_backend import ChatModel, Engine, LoadState


class ModelCache:
    """Keeps models loaded up to a budget of bytes; one loads at a time.

    Args:
        engines: asked in order; the first that offers a model runs it.
        budget: bytes that all models together may use.
    """

    def __init__(self, engines: tuple[Engine, ...], budget: int) -> None:
        self._engines = engines
        self._budget = budget
        self._held: OrderedDict[str, tuple[ChatModel, Engine]] = OrderedDict()
        self._evicted: set[str] = set()
        self._loading = threading.Lock()

    @property
    def budget(self) -> int:
        """Bytes that all models together may use."""
        return self._budget

    def engine_for(self, model: ChatModel) -> Engine | None:
        """The engine that runs a model."""
        return next((engine for engine in self._engines if engine.offers(model)), None)

    def refusal(self, *models: ChatModel) -> str | None:
        """Why these models cannot be in memory together; None where they can."""
        need = sum(model.size or 0 for model in models)
        if need <= self._budget:
            return None
        advice = "try one model alone" if len(models) > 1 else "try a smaller model"
        return f"needs {in_words(need)}, {in_words(self._budget)} free; {advice}"

    def state(self, model: ChatModel) -> LoadState:
        """What the visitor is told of a model that nobody is loading now."""
        if model.key in self._held:
            return LoadState("ready")
        return LoadState("evicted" if model.key in self._evicted else "not loaded")

    def acquire(self, *models: ChatModel) -> Iterator[LoadState]:
        """Have these models in memory at the same time, telling what is going on.

        The last state is ``ready`` for all of them, or ``failed`` with the reason.
        """
        if refused := self.refusal(*models):
            yield LoadState("failed", refused)
            return
        if self._loading.locked():
            yield LoadState("loading", "waiting for another model to load")
        with self._loading:
            wanted = {model.key for model in models}
            self._make_room(wanted, sum(model.size or 0 for model in models))
            for model in models:
                last = LoadState("ready")
                for last in self._load(model):
                    yield last
                if last.kind == "failed":
                    return

    def _load(self, model: ChatModel) -> Iterator[LoadState]:
        if model.key in self._held:
            self._held.move_to_end(model.key)
            yield LoadState("ready")
            return
        engine = self.engine_for(model)
        if engine is None:
            yield LoadState("failed", f"nothing here can run {model.name}")
            return
        for state in engine.load(model):
            if state.kind == "ready":
                self._held[model.key] = (model, engine)
                self._evicted.discard(model.key)
            yield state

    def _make_room(self, wanted: set[str], need: int) -> None:
        used = {key: model.size or 0 for key, (model, _) in self._held.items()}
        others = sum(size for key, size in used.items() if key not in wanted)
        for key in [key for key in self._held if key not in wanted]:
            if others + need <= self._budget:
                return
            model, engine = self._held.pop(key)
            engine.unload(model)
            self._evicted.add(key)
            others -= used[key]
