"""Reads a LoRA adapter's ``adapter_config.json``, an untrusted file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bot.checkpoint.source import Source
from bot.checkpoint.untrusted_json import parse_object
from bot.errors import CheckpointError

CONFIG_FILE = "adapter_config.json"
_UNSUPPORTED = (
    "use_dora", "use_qalora", "use_bdlora", "kasa_config", "monteclora_config", "arrow_config",
    "alora_invocation_tokens", "layer_replication", "megatron_config", "trainable_token_indices",
)  # fmt: skip
_CHANGES_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_LARGEST = float(np.finfo(np.float32).max)
_PATTERN_LENGTH = 200
_MOST_REPEATS = 2
_MOST_WAYS = 1000
_MOST_PATTERNS = 10_000
_MOST_STEPS = 2_000_000_000
_SHOWN = 60
_MERGE_FIRST = "merge the adapter into its base with peft first, and use the result as a parent"


@dataclass(frozen=True)
class LoraConfig:
    """An adapter's settings; ``where`` is the file as error messages should name it."""

    content: Mapping[str, Any]
    where: str

    @property
    def turned(self) -> bool:
        """Whether weights and factors are stored transposed (``fan_in_fan_out``)."""
        return bool(self.content.get("fan_in_fan_out"))

    def scale(self, module: str, rank: int) -> float:
        """``alpha / rank``; ``rank_pattern`` is not needed, since the factors' shapes show the
        ranks.

        Raises:
            CheckpointError: the config is another adapter's, or gives no usable scale.
        """
        said = self.content.get("r")
        if not self.content.get("rank_pattern") and said != rank:
            found = f"the factors of {module!r} have rank {rank}"
            raise CheckpointError(
                f"{self.where}: r is {_short(said)}, but {found}",
                hint="the file belongs to another adapter, or lacks rank_pattern",
            )
        alpha = self._alpha(module)
        if not rank or not _is_scale(alpha):
            raise CheckpointError(
                f"{self.where}: rank {rank} and lora_alpha {_short(alpha)} are no scale",
                hint="lora_alpha must be a number such as 16; download the adapter again",
            )
        return float(alpha / (math.sqrt(rank) if self.content.get("use_rslora") else rank))

    def require_quick(self, modules: Sequence[str]) -> None:
        """Refuse patterns that would take minutes to match against these modules.

        Raises:
            CheckpointError: too many patterns, or too costly ones for so many modules.
        """
        steps = sum(_steps(self._alpha_patterns, modules))
        if steps > _MOST_STEPS:
            raise CheckpointError(
                f"{self.where}: alpha_pattern has {len(self._alpha_patterns)} patterns for "
                f"{len(modules)} modules, which take too long to match",
                hint=_MERGE_FIRST,
            )

    def _alpha(self, module: str) -> Any:
        """The alpha of the first pattern that matches this module, as in peft's
        ``get_pattern_key``.
        """
        for pattern, alpha in self._alpha_patterns:
            if module == pattern.text or pattern.ends.fullmatch(module):
                return alpha
        return self.content.get("lora_alpha")

    @cached_property
    def _alpha_patterns(self) -> Sequence[tuple[_Pattern, Any]]:
        patterns = self.content.get("alpha_pattern") or {}
        if len(patterns) > _MOST_PATTERNS:
            said = f"{len(patterns)} alpha patterns; at most {_MOST_PATTERNS} are read"
            raise CheckpointError(f"{self.where} has {said}", hint=_MERGE_FIRST)
        return [(_Pattern.read(text, self.where), alpha) for text, alpha in patterns.items()]


@dataclass(frozen=True)
class _Pattern:
    """A regular expression for a whole module name or its last parts.

    It is untrusted, so it must be one that cannot run for hours: short, with few repetitions
    and none of a group, and few ways through its alternatives.
    """

    text: str
    ends: re.Pattern[str]

    @classmethod
    def read(cls, text: str, where: str) -> _Pattern:
        """Compile an expression.

        Raises:
            CheckpointError: it is none, or not a simple one.
        """
        simple = len(text) <= _PATTERN_LENGTH and not re.search(r"\)[*+?{]|\(\?", text)
        if simple and _repeats(text) <= _MOST_REPEATS and _ways(text) <= _MOST_WAYS:
            with suppress(re.error, OverflowError):
                return cls(text, re.compile(rf"(?:.*\.)?(?:{text})"))
        raise CheckpointError(
            f"{where}: alpha_pattern {text[:_SHOWN]!r} is not a simple enough expression",
            hint=f"name the modules in full, or {_MERGE_FIRST}",
        )


def read_lora_config(adapter: Source, name: str) -> LoraConfig:
    """The settings of an adapter that messages call ``name``.

    Raises:
        CheckpointError: no config, a broken one, or that of another kind of adapter.
    """
    where = f"{CONFIG_FILE} of {name}"
    data = adapter.file(CONFIG_FILE)
    if data is None:
        raise CheckpointError(f"{name} has no {CONFIG_FILE}", hint="is this a LoRA adapter?")
    config = parse_object(data, where, "download the adapter again")
    if config.get("peft_type") != "LORA":
        raise CheckpointError(
            f"{where} does not describe a LoRA adapter", hint="only LoRA adapters can be merged"
        )
    odd = next(_unsupported(config), None)
    if odd is not None:
        raise CheckpointError(f"{where}: {odd} is not supported", hint=_MERGE_FIRST)
    for key in ("rank_pattern", "alpha_pattern"):
        if not isinstance(config.get(key) or {}, dict):
            raise CheckpointError(
                f"{where}: {key} is not a table of modules", hint="download the adapter again"
            )
    return LoraConfig(config, where)


def _unsupported(config: Mapping[str, Any]) -> Iterator[str]:
    yield from (key for key in _UNSUPPORTED if config.get(key))
    if config.get("bias", "none") != "none":
        yield "bias"
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_THE_BASE):
        # Such an adapter needs a base minus its initial product, which peft computes
        # again on loading.
        yield f"init_lora_weights {_short(start)}"


def _is_scale(alpha: Any) -> bool:
    number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    return number and abs(alpha) <= _LARGEST  # false for NaN and for values beyond float32


def _repeats(text: str) -> int:
    return len(re.findall(r"[*+?{]", text))


def _ways(text: str) -> float:
    """An upper bound of the paths through the alternatives: the product over all groups."""
    groups = text.count("(") + 1
    return (text.count("|") / groups + 1) ** groups


def _steps(patterns: Sequence[tuple[_Pattern, Any]], modules: Sequence[str]) -> Iterator[float]:
    """Upper bounds of the steps that matching every pattern with every module takes.

    A pattern is tried behind every dot, and each repetition may end anywhere.
    """
    ways = [0.0] * (_MOST_REPEATS + 1)
    for pattern, _ in patterns:
        ways[_repeats(pattern.text)] += _ways(pattern.text)
    for module in modules:
        length = len(module) + 1
        tried = sum(count * length**repeats for repeats, count in enumerate(ways))
        yield len(patterns) * length + (module.count(".") + 1) * tried


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
