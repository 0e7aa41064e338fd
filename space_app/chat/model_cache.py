"""Which models are in memory: the least recently used leave, too large ones are refused early."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from leaderboard.number_format import memory as memory_text
from space_app.chat.chat_backend import ChatBackend, ChatModel, LoadState


class ModelCache:
    """Keeps models loaded up to a budget of bytes; one model loads at a time.

    Args:
        backends: asked in order; the first that offers a model runs it.
        budget: bytes that all models together may use.
    """

    def __init__(self, backends: tuple[ChatBackend, ...], budget: int) -> None:
        self._backends = backends
        self._budget = budget
        self._held: OrderedDict[str, tuple[ChatModel, ChatBackend]] = OrderedDict()
        self._evicted: set[str] = set()
        self._loading = threading.Lock()

    @property
    def budget(self) -> int:
        """Bytes that all models together may use."""
        return self._budget

    def backend_for(self, model: ChatModel) -> ChatBackend | None:
        """The backend that runs a model."""
        return next((backend for backend in self._backends if backend.offers(model)), None)

    def refusal(self, *models: ChatModel) -> str | None:
        """Why these models cannot be in memory together; None where they can."""
        need = sum(model.size or 0 for model in models)
        if need <= self._budget:
            return None
        advice = "try one model alone" if len(models) > 1 else "try a smaller model"
        return f"needs {memory_text(need)}, {memory_text(self._budget)} free; {advice}"

    def state(self, model: ChatModel) -> LoadState:
        """The state of a model that is not being loaded now."""
        if self._is_ready(model):
            return LoadState("ready")
        return LoadState("evicted" if model.key in self._evicted else "not loaded")

    def acquire(self, *models: ChatModel) -> Iterator[LoadState]:
        """Have these models in memory at the same time; yields each step.

        The last state is ``ready`` for all of them, or ``failed`` with the reason.
        """
        if refused := self.refusal(*models):
            yield LoadState("failed", refused)
            return
        if self._loading.locked():
            yield LoadState("loading", "waiting for another model to load")
        with self._loading:
            wanted = {model.key for model in models}
            self._evict_for(wanted, sum(model.size or 0 for model in models))
            for model in models:
                last = LoadState("ready")
                for last in self._load(model):
                    yield last
                if last.kind == "failed":
                    return

    def _is_ready(self, model: ChatModel) -> bool:
        held = self._held.get(model.key)
        return held is not None and held[1].is_loaded(model)

    def _load(self, model: ChatModel) -> Iterator[LoadState]:
        if self._is_ready(model):
            self._held.move_to_end(model.key)
            yield LoadState("ready")
            return
        self._held.pop(model.key, None)
        backend = self.backend_for(model)
        if backend is None:
            yield LoadState("failed", f"nothing here can run {model.name}")
            return
        for state in backend.load(model):
            if state.kind == "ready":
                self._held[model.key] = (model, backend)
                self._evicted.discard(model.key)
            yield state

    def _evict_for(self, wanted: set[str], need: int) -> None:
        used = {key: model.size or 0 for key, (model, _) in self._held.items()}
        others = sum(size for key, size in used.items() if key not in wanted)
        for key in [key for key in self._held if key not in wanted]:
            if others + need <= self._budget:
                return
            model, backend = self._held.pop(key)
            backend.unload(model)
            self._evicted.add(key)
            others -= used[key]
