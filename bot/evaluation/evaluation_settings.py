"""How a suite is run: everything that can change a score and is not the model or the suite."""

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
from typing import Any

from bot.errors import EnvironmentMissingError, UsageError
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
        device: "cpu", "cuda" or "cuda:1".
        threads: torch's threads on a CPU, None for its own choice.
        limit: only the first items of each task, None for all; such scores are not for a board.
        seeds: of Python, NumPy, torch and the few-shot draw, set anew before every task.
    """

    dtype: str
    batch_size: int
    max_length: int
    apply_chat_template: bool = False
    few_shot_as_multiturn: bool = False
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
    ) -> Settings:
        """The suite's own settings, with what the caller replaces."""
        return cls(
            dtype=dtype or suite.data.dtype,
            batch_size=batch_size or suite.data.batch_size,
            max_length=suite.data.max_length,
            apply_chat_template=suite.data.apply_chat_template,
            few_shot_as_multiturn=suite.data.few_shot_as_multiturn,
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


def versions() -> dict[str, str]:
    """The versions of what computes the scores, read without importing any of it.

    Raises:
        EnvironmentMissingError: the ``eval`` extra is not installed.
    """
    try:
        return {name: metadata.version(name) for name in ("lm-eval", "transformers", "torch")}
    except metadata.PackageNotFoundError as error:
        raise EnvironmentMissingError(
            f"evaluation needs {error.name}, which is not installed",
            hint="pip install 'mergebot[eval]'",
        ) from error


def require_pinned(suite: Suite) -> None:
    """Refuse another lm-eval than the suite's, whose task files its digest stands for.

    Raises:
        EnvironmentMissingError: another version is installed, or none.
    """
    installed = versions()["lm-eval"]
    if installed != suite.data.lm_eval:
        raise EnvironmentMissingError(
            f"suite {suite.name} is made for lm-eval {suite.data.lm_eval}, not {installed}",
            hint=f"pip install 'lm-eval=={suite.data.lm_eval}'",
        )


def require_device(device: str) -> None:
    """Refuse what is no device; lm-eval would take the CPU and say nothing.

    Raises:
        UsageError: it is no device's name.
        EnvironmentMissingError: torch was installed without CUDA.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UsageError(f"no device is called {device!r}", hint="use cpu, cuda or cuda:1")
    if device != "cpu" and versions()["torch"].endswith("+cpu"):
        raise EnvironmentMissingError(
            f"the installed torch {versions()['torch']} knows no {device}",
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
    """What names an evaluation: 64 hex digits over everything its scores depend on."""
    said = settings.as_dict() | {"device": device_class(settings.device)}
    parts = {
        "model": model_digest,
        "suite": suite.digest,
        "settings": said,
        "versions": versions(),
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
