"""How a suite is run: what can change a score, besides the model and the suite."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import Any, Literal

from bot.errors import EnvironmentMissingError, UsageError
from bot.evaluation.backends import find_backend
from bot.evaluation.suite_catalog import Suite

SEEDS: Mapping[str, int] = {"python": 0, "numpy": 1234, "torch": 1234, "fewshot": 1234}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one comparison, identical for a merge and all of its parents.

    Args:
        dtype: what weights are loaded and computed in ("float32", "bfloat16", "float16").
        batch_size: requests computed together; scores may depend on it, so it is part of the key.
        max_length: tokens of prompt and answer together; more is an error, never a truncation.
        apply_chat_template: whether prompts are put into the model's chat template.
        few_shot_as_multiturn: whether examples become turns of the conversation.
        chat_template: the text of one template for all models, None for each model's own.
        without_template: whether a model without a template gets plain prompts or is refused.
        device: "cpu", "cuda" or "cuda:1".
        threads: torch's threads on a CPU, None for its own choice.
        limit: only the first items of each task, None for all; such scores are not for a board.
        backend: what computes the scores; see `bot.evaluation.backends`.
        seeds: of Python, NumPy, torch and the few-shot draw, set again before every task.
    """

    dtype: str
    batch_size: int
    max_length: int
    apply_chat_template: bool = False
    few_shot_as_multiturn: bool = False
    chat_template: str | None = None
    without_template: Literal["plain", "refuse"] = "refuse"
    device: str = "cpu"
    limit: int | None = None
    threads: int | None = None
    backend: str = "hf"
    seeds: Mapping[str, int] = field(default_factory=lambda: dict(SEEDS))

    @classmethod
    def of(
        cls,
        suite: Suite,
        *,
        device: str = "cpu",
        batch_size: int | None = None,
        dtype: str | None = None,
        limit: int | None = None,
        backend: str = "hf",
    ) -> Settings:
        """The suite's own settings, with what the caller replaces.

        Args:
            suite: the suite.
            device: as in the class.
            batch_size: None for the suite's.
            dtype: None for the suite's.
            limit: as in the class.
            backend: as in the class.

        Raises:
            UsageError: there is no such backend.
        """
        return cls(
            dtype=dtype or suite.data.dtype,
            batch_size=batch_size or suite.data.batch_size,
            max_length=suite.data.max_length,
            apply_chat_template=suite.data.apply_chat_template,
            few_shot_as_multiturn=suite.data.apply_chat_template,
            chat_template=suite.data.chat_template,
            without_template=suite.data.without_template,
            backend=find_backend(backend).name,
            device=device,
            limit=limit,
            threads=suite.data.threads,
        )

    def halved(self) -> Settings:
        """The same with half the batch size."""
        return replace(self, batch_size=self.batch_size // 2)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``Settings(**d)`` reads them back."""
        return asdict(self)


def versions(backend: str) -> dict[str, str]:
    """The versions of lm-eval and of a backend's packages, read without importing any of them.

    Raises:
        EnvironmentMissingError: the ``eval`` extra is not installed.
        UsageError: there is no such backend.
    """
    return {name: _version(name) for name in ("lm-eval", *find_backend(backend).packages)}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise EnvironmentMissingError(
            f"evaluation needs {error.name}, which is not installed",
            hint="pip install 'mergebot[eval]'",
        ) from error


def require_pinned(suite: Suite) -> None:
    """Refuse another version of lm-eval than the suite's: its task files belong to that version.

    Raises:
        EnvironmentMissingError: another version is installed, or none.
    """
    installed = _version("lm-eval")
    if installed != suite.data.lm_eval:
        raise EnvironmentMissingError(
            f"suite {suite.name} needs lm-eval {suite.data.lm_eval}, not {installed}",
            hint=f"pip install 'lm-eval=={suite.data.lm_eval}'",
        )


def require_device(device: str) -> None:
    """Refuse an unknown device; lm-eval would use the CPU without a warning.

    Raises:
        UsageError: there is no device of that name.
        EnvironmentMissingError: torch was installed without CUDA.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UsageError(f"no device is called {device!r}", hint="use cpu, cuda or cuda:1")
    if device != "cpu" and (torch := _version("torch")).endswith("+cpu"):
        raise EnvironmentMissingError(
            f"the installed torch {torch} does not support {device}",
            hint="use --device cpu, or install torch with CUDA: https://pytorch.org/get-started",
        )


@cache
def device_class(device: str) -> str:
    """What kind of device computes: "cpu", or "cuda" with the GPU's product name where known."""
    kind = device.partition(":")[0]
    program = shutil.which("nvidia-smi")
    if kind != "cuda" or program is None:
        return kind
    query = [program, "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60)
    names = answer.stdout.strip().splitlines()
    return f"{kind} {names[0].strip()}" if names else kind


def eval_key(model_digest: str, suite: Suite, settings: Settings) -> str:
    """The name of an evaluation: 64 hex digits over everything its scores depend on.

    Raises:
        EnvironmentMissingError: a package of the backend is not installed.
        UsageError: there is no such backend.
    """
    backend = find_backend(settings.backend)
    parts = {
        "model": model_digest,
        "suite": suite.digest,
        "settings": settings.as_dict() | {"device": device_class(settings.device)},
        "backend": {"name": backend.name, "settings": dict(backend.settings)},
        "versions": versions(settings.backend),
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
