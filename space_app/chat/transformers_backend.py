"""transformers on this machine: every model runs in an isolated process of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from space_app.chat.chat_backend import ChatModel, LoadState, Piece, Request, Template
from space_app.chat.model_files import ModelFiles, ModelFilesError
from space_app.chat.model_process import ModelProcess, ModelProcessError, Timeouts


class TransformersBackend:
    """Runs models with transformers, each in a process that holds no secret.

    Args:
        device: ``cpu``, ``cuda`` or None for what the machine has.
        files: finds or fetches the models' files.
        timeouts: how long a process may take.
        environ: the environment that each process's short one is chosen from.
    """

    name = "transformers"
    accepts_templates = True

    def __init__(
        self, device: str | None = None, *, files: ModelFiles | None = None,
        timeouts: Timeouts = Timeouts(), environ: Mapping[str, str] | None = None,  # noqa: B008 (frozen)
    ) -> None:  # fmt: skip
        self._device = device
        self._files = files or ModelFiles()
        self._timeouts = timeouts
        self._environ = environ or os.environ
        self._processes: dict[str, ModelProcess] = {}
        self._lock = threading.Lock()

    def offers(self, model: ChatModel) -> bool:
        """Folders and Hub repositories, where torch and transformers are installed."""
        return bool(model.location) and find_spec("transformers") is not None

    def load(self, model: ChatModel) -> Iterator[LoadState]:
        """Fetch the files where needed, then start the model's process."""
        local = self._files.is_local(model)
        yield LoadState("loading" if local else "downloading", total=model.size or 0)
        try:
            folder = self._files.folder(model)
            if not local:
                yield LoadState("loading", total=model.size or 0)
            process = ModelProcess(
                folder, name=model.name, size=model.size, device=self._device,
                timeouts=self._timeouts, environ=self._environ,
            )  # fmt: skip
        except (ModelFilesError, ModelProcessError) as failure:
            yield LoadState("failed", str(failure))
            return
        except OSError as failure:
            yield LoadState("failed", f"the process of {model.name} cannot be started: {failure}")
            return
        with self._lock:
            previous = self._processes.pop(model.key, None)
            self._processes[model.key] = process
        if previous is not None:
            previous.close()
        yield LoadState("ready")

    def is_loaded(self, model: ChatModel) -> bool:
        """Whether the model's process runs."""
        process = self._processes.get(model.key)
        return process is not None and process.alive

    def unload(self, model: ChatModel) -> None:
        """End the model's process, after the answer that it is writing."""
        with self._lock:
            process = self._processes.pop(model.key, None)
        if process is not None:
            process.close()

    def template(self, model: ChatModel) -> Template | None:
        """The model's own template or its template source's, and whether it writes a system prompt.

        Raises:
            ValueError: the template source's template, or the model's process, cannot be read.
        """
        process = self._process_of(model)
        borrowed = self._borrowed(process, model)
        if borrowed is None and not process.has_template:
            return None
        source = model.template_source.name if borrowed and model.template_source else None
        try:
            return Template(system=process.writes_system(borrowed), template_source=source)
        except ModelProcessError as ended:
            raise ValueError(str(ended)) from ended

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """The process's answer.

        Raises:
            ModelProcessError: the answer failed or the process ended.
        """
        process = self._process_of(request.model)
        borrowed = None if request.completion else self._borrowed(process, request.model)
        yield from process.answer(request, borrowed, stop)

    def close(self) -> None:
        """End every process."""
        for key in list(self._processes):
            process = self._processes.pop(key, None)
            if process is not None:
                process.close()

    def _process_of(self, model: ChatModel) -> ModelProcess:
        process = self._processes.get(model.key)
        if process is None:
            raise ValueError(f"{model.name} is not loaded any more: ask again")
        return process

    def _borrowed(self, process: ModelProcess, model: ChatModel) -> str | None:
        """The template source's template, for a model without one of its own."""
        if process.has_template or model.template_source is None:
            return None
        return self._files.template(model.template_source)
