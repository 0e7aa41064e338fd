"""Backends: what loads a model and answers the requests of lm-evaluation-harness.

A backend is a module with a function ``load_model`` (see `LoadModel`) and an entry in `BACKENDS`.
Its name, the versions of its packages and its settings are part of every evaluation key. This
module imports no backend, so that a parent process stays light.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bot.errors import UsageError
from bot.recipe.problems import nearest

if TYPE_CHECKING:
    from bot.evaluation.evaluation_settings import Settings

Progress = Callable[[int, int], None]
"""Called with how many requests of the running task are done, and how many there are."""


class LoadedModel(Protocol):
    """A model that answers requests, as `bot.evaluation.harness` uses it.

    An implementation is also an ``lm_eval.api.model.LM``. It refuses what would give a number that
    is not a score (`bot.errors.EvaluationError`): a prompt cut to fit, a NaN in the logits, a
    token without a row in the embedding.

    ``generated`` and ``capped`` count the answers since they were last set to 0, and those that
    reached the length limit. ``template`` is the text of the chat template, None where prompts are
    plain. ``questions`` collects the conversations that were put into it.
    """

    generated: int
    capped: int
    template: str | None
    questions: list[str]

    def release(self) -> None:
        """Free the model's memory."""
        ...


class LoadModel(Protocol):
    """The function ``load_model`` of a backend's module."""

    def __call__(self, path: Path, settings: Settings, progress: Progress) -> LoadedModel:
        """Load a model folder.

        Raises:
            EvaluationError: the folder does not load, or the model cannot be asked as the
                settings say.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Backend:
    """What is known about a backend without importing it.

    ``packages`` are the distributions whose versions can change scores. ``settings`` are the
    backend's own, besides those of every evaluation.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def loader(self) -> LoadModel:
        """The backend's ``load_model``; imports the backend."""
        load: LoadModel = importlib.import_module(self.module).load_model
        return load


BACKENDS: Mapping[str, Backend] = {
    "hf": Backend(
        name="hf",
        module="bot.evaluation.backends.hf",
        packages=("transformers", "torch"),
        settings={"decoding": "greedy", "end_of_text_after_prompts": "removed"},
    ),
}


def find_backend(name: str) -> Backend:
    """The backend of this name.

    Raises:
        UsageError: there is none; names those there are.
    """
    if name not in BACKENDS:
        raise UsageError(
            f"there is no evaluation backend named {name!r}",
            hint=nearest(name, tuple(BACKENDS), noun="backends"),
        )
    return BACKENDS[name]
