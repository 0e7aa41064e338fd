"""transformers on ZeroGPU, where only the decorated process reaches the GPU.

Untrusted models load in the Space's own process there, so such a Space must hold no secret: see
`space_app.deployed_main`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from space_app.chat.chat_backend import ChatModel, LoadState, Piece, Request, Template
from space_app.chat.generation import LoadedModel, first_line
from space_app.chat.model_files import ModelFiles, ModelFilesError

SECONDS_PER_TOKEN = 0.05
"""A careful guess, for the share of ZeroGPU time that a visitor is asked for."""
LOAD_SECONDS = 10

Answering = Callable[[Request, threading.Event], Iterator[Piece]]


def on_zero_gpu() -> bool:
    """Whether this process runs where the ``spaces`` package hands out GPU time."""
    return find_spec("spaces") is not None


class ZeroGpuBackend:
    """Runs models with transformers in this process.

    Args:
        files: finds or fetches the models' files.
        decorate: puts answering on a GPU; ZeroGPU's own decorator where None.
        device: as for `LoadedModel`.
    """

    name = "transformers on ZeroGPU"
    accepts_templates = True

    def __init__(
        self,
        files: ModelFiles | None = None,
        *,
        decorate: Callable[[Answering], Answering] | None = None,
        device: str | None = None,
    ) -> None:
        self._files = files or ModelFiles()
        self._device = device
        self._loaded: dict[str, LoadedModel] = {}
        self._answering = (decorate or _zero_gpu)(self._answer)

    def offers(self, model: ChatModel) -> bool:
        """Folders and Hub repositories, where transformers is installed."""
        return bool(model.location) and find_spec("transformers") is not None

    def load(self, model: ChatModel) -> Iterator[LoadState]:
        """Fetch the files where needed, then load the model."""
        yield LoadState("downloading", total=model.size or 0)
        try:
            folder = self._files.folder(model)
        except ModelFilesError as failure:
            yield LoadState("failed", str(failure))
            return
        yield LoadState("loading", total=model.size or 0)
        try:
            self._loaded[model.key] = LoadedModel(folder, self._device)
        except Exception as failure:  # noqa: BLE001 - an untrusted checkpoint may fail in any way
            yield LoadState("failed", f"{model.name} could not be loaded: {first_line(failure)}")
            return
        yield LoadState("ready")

    def is_loaded(self, model: ChatModel) -> bool:
        """Whether the model is in memory."""
        return model.key in self._loaded

    def unload(self, model: ChatModel) -> None:
        """Forget the model; its memory is freed when no answer uses it any more."""
        self._loaded.pop(model.key, None)

    def template(self, model: ChatModel) -> Template | None:
        """The model's own template or its template source's.

        Raises:
            ValueError: the template source's template cannot be read.
        """
        loaded = self._loaded[model.key]
        borrowed = self._borrowed(loaded, model)
        if borrowed is None and not loaded.has_template():
            return None
        source = model.template_source.name if borrowed and model.template_source else None
        return Template(system=loaded.writes_system(borrowed), template_source=source)

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """The answer, generated with GPU time."""
        yield from self._answering(request, stop)

    def _answer(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        loaded = self._loaded[request.model.key]
        borrowed = None if request.completion else self._borrowed(loaded, request.model)
        messages = [turn.as_message() for turn in request.turns]
        yield from loaded.answer(
            messages, request.sampling, borrowed, stop, completion=request.completion
        )

    def _borrowed(self, loaded: LoadedModel, model: ChatModel) -> str | None:
        if loaded.has_template() or model.template_source is None:
            return None
        return self._files.template(model.template_source)


def _zero_gpu(function: Answering) -> Answering:
    """The function on a ZeroGPU slice, for about as long as its answer takes."""
    import spaces

    def seconds(request: Request, _stop: threading.Event) -> int:
        return LOAD_SECONDS + int(request.sampling.max_tokens * SECONDS_PER_TOKEN)

    decorated: Answering = spaces.GPU(duration=seconds)(function)
    return decorated
