"""A base model with a LoRA adapter (Hu et al. 2021) as one checkpoint, merged while it is read.

An adapted weight is ``W + scale * B @ A`` with ``scale = alpha / r`` (``alpha / sqrt(r)`` for
rank-stabilised adapters), computed in float32 and rounded once to the base's dtype. The product is
summed rank by rank, so a byte does not depend on how much is read at once, nor on the machine.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.checkpoint.decode import decode
from bot.checkpoint.encode import encode
from bot.checkpoint.folder import FolderSource
from bot.checkpoint.source import Source, is_costly
from bot.checkpoint.tensor import TensorSpec
from bot.errors import CheckpointError

Matrix = npt.NDArray[np.float32]
_WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"
_PATTERN_LENGTH = 200
_PREFIX = "base_model.model."
_UNSUPPORTED = (
    "use_dora", "use_qalora", "use_bdlora", "kasa_config", "monteclora_config", "arrow_config",
    "alora_invocation_tokens", "layer_replication", "megatron_config", "trainable_token_indices",
)  # fmt: skip
_CHANGES_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_FACTORS = {
    ".lora_A.weight": "a", ".lora_B.weight": "b",
    ".lora_embedding_A": "a", ".lora_embedding_B": "b",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Update:
    """What is added to one weight: ``scale * left @ right``."""

    left: Matrix
    right: Matrix
    scale: np.float32

    def rows(self, first: int, last: int) -> Matrix:
        total = np.zeros((last - first, self.right.shape[1]), np.float32)
        for rank in range(self.right.shape[0]):
            total += self.left[first:last, rank, None] * self.right[rank]
        return total * self.scale


class LoraSource:
    """``base`` with ``adapter`` applied; everything but the adapted weights is the base's.

    Args:
        base: the model the adapter was trained on.
        adapter: a folder with ``adapter_model.safetensors`` and ``adapter_config.json``, or a
            source of their contents.

    Raises:
        CheckpointError: an adapter of another kind, or one that does not fit the base.
    """

    def __init__(self, base: Source, adapter: Source | Path) -> None:
        self._base = base
        self._adapter = _opened(adapter)
        self._config = _read_config(self._adapter)
        self._updates, self._replaced = self._match()

    @cached_property
    def id(self) -> str:
        """A digest of both parts' ids."""
        config = json.dumps(self._config, sort_keys=True)
        text = f"lora/{self._base.id}/{self._adapter.id}/{config}"
        return hashlib.sha256(text.encode()).hexdigest()

    def tensors(self) -> Mapping[str, TensorSpec]:
        """The base's tensors."""
        return self._base.tensors()

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """The base's bytes, or the adapted weight's."""
        if name in self._updates:
            self._read_adapted(name, offset, out.cast("B"))
        else:
            self._read_plain(name, offset, out.cast("B"))

    def costly(self, name: str) -> bool:
        """Adapted weights are computed."""
        return name in self._updates or is_costly(self._base, name)

    def file(self, path: str) -> bytes | None:
        """A side file; the adapter's tokenizer counts before the base's."""
        if path.startswith(("tokenizer", "special_tokens", "added_tokens", "chat_template")):
            own = self._adapter.file(path)
            return self._base.file(path) if own is None else own
        return self._base.file(path)

    def _read_plain(self, name: str, offset: int, out: memoryview) -> None:
        """The base's bytes, or those of the adapter's own copy in the base's dtype."""
        if name not in self._replaced:
            self._base.read_into(name, offset, out)
            return
        own, size = self._replaced[name], self.tensors()[name].dtype.itemsize
        theirs = self._adapter.tensors()[own].dtype
        if theirs == self.tensors()[name].dtype:
            self._adapter.read_into(own, offset, out)
            return
        first, last = offset // size, -(-(offset + out.nbytes) // size)
        read = memoryview(bytearray((last - first) * theirs.itemsize))
        self._adapter.read_into(own, first * theirs.itemsize, read)
        stored = memoryview(bytearray((last - first) * size))
        encode(decode(read, theirs), self.tensors()[name].dtype, stored)
        skip = offset - first * size
        out[:] = stored[skip : skip + out.nbytes]

    def _read_adapted(self, name: str, offset: int, out: memoryview) -> None:
        spec = self.tensors()[name]
        if offset < 0 or offset + out.nbytes > spec.nbytes:
            raise CheckpointError(f"tensor {name!r} has no bytes {offset} to {offset + out.nbytes}")
        row_bytes = spec.shape[1] * spec.dtype.itemsize
        first, last = offset // row_bytes, -(-(offset + out.nbytes) // row_bytes)
        stored = memoryview(bytearray((last - first) * row_bytes))
        self._read_plain(name, first * row_bytes, stored)
        weight = decode(stored, spec.dtype).reshape(last - first, spec.shape[1])
        encode((weight + self._updates[name].rows(first, last)).reshape(-1), spec.dtype, stored)
        skip = offset - first * row_bytes
        out[:] = stored[skip : skip + out.nbytes]

    def _match(self) -> tuple[dict[str, _Update], dict[str, str]]:
        factors: dict[str, dict[str, str]] = {}
        replaced: dict[str, str] = {}
        for name in self._adapter.tensors():
            plain = name.removeprefix(_PREFIX)
            suffix = next((end for end in _FACTORS if plain.endswith(end)), None)
            if suffix is not None:
                module = plain.removesuffix(suffix)
                factors.setdefault(module, {})[_FACTORS[suffix]] = name
            else:
                replaced[self._replacement(plain, name)] = name
        return {f"{m}.weight": self._update(m, parts) for m, parts in factors.items()}, replaced

    def _replacement(self, plain: str, name: str) -> str:
        """The base tensor that a whole tensor of the adapter stands for.

        It is one that was fully trained (``modules_to_save``), or an adapted embedding or head,
        which peft saves beside its factors (``base_layer``).
        """
        target = plain
        for part in (".modules_to_save.default.", ".modules_to_save.", ".base_layer."):
            target = target.replace(part, ".")
        ours, theirs = self.tensors().get(target), self._adapter.tensors()[name]
        if ours is None or ours.shape != theirs.shape:
            raise _unfit(name, "replaces no tensor of the base of its shape")
        if ours.dtype != theirs.dtype and not (ours.dtype.mergeable and theirs.dtype.mergeable):
            raise _unfit(name, f"is {theirs.dtype}, the base's tensor {ours.dtype}")
        return target

    def _update(self, module: str, parts: Mapping[str, str]) -> _Update:
        if parts.keys() != {"a", "b"}:
            raise _unfit(module, "has only one of its two factors")
        a, b = self._matrix(parts["a"]), self._matrix(parts["b"])
        turned = "embedding" in parts["a"] or bool(self._config.get("fan_in_fan_out"))
        left, right = (a.T, b.T) if turned else (b, a)
        target = self.tensors().get(f"{module}.weight")
        product = (left.shape[0], right.shape[1])
        if target is None or target.shape != product or left.shape[1] != right.shape[0]:
            found = "no such weight" if target is None else f"a weight of shape {target.shape}"
            raise _unfit(module, f"gives an update of shape {product}; the base has {found}")
        if not target.dtype.mergeable:
            raise _unfit(module, f"adapts a weight stored as {target.dtype}")
        scale = np.float32(self._scale(module, left.shape[1]))
        return _Update(
            left=np.ascontiguousarray(left), right=np.ascontiguousarray(right), scale=scale
        )

    def _matrix(self, name: str) -> Matrix:
        spec = self._adapter.tensors()[name]
        if len(spec.shape) != 2 or not spec.dtype.mergeable:
            raise _unfit(name, f"is {spec.dtype} of shape {spec.shape}, not a matrix")
        stored = memoryview(bytearray(spec.nbytes))
        self._adapter.read_into(name, 0, stored)
        return decode(stored, spec.dtype).reshape(spec.shape)

    def _scale(self, module: str, rank: int) -> float:
        """``alpha / rank``; a pattern of ranks would only say again what the factors show."""
        config = self._config
        if not config.get("rank_pattern") and config.get("r") != rank:
            said = f"r is {config.get('r')!r}, but the factors of {module!r} have rank {rank}"
            raise CheckpointError(
                f"{_CONFIG}: {said}",
                hint="the file belongs to another adapter, or says less than it should",
            )
        alpha = _pattern(config.get("alpha_pattern"), module, config.get("lora_alpha"))
        if not isinstance(alpha, int | float) or not rank:
            raise CheckpointError(f"{_CONFIG}: rank {rank} and lora_alpha {alpha!r} are no scale")
        return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _opened(adapter: Source | Path) -> Source:
    return FolderSource(adapter, _WEIGHTS) if isinstance(adapter, Path) else adapter


def _read_config(adapter: Source) -> dict[str, Any]:
    raw = adapter.file(_CONFIG)
    if raw is None:
        raise CheckpointError(f"the adapter has no {_CONFIG}", hint="is this a LoRA adapter?")
    try:
        config = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{_CONFIG} is not JSON ({error})") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise CheckpointError(f"{_CONFIG} does not describe a LoRA adapter")
    odd = [key for key in _UNSUPPORTED if config.get(key)]
    if config.get("bias", "none") != "none":
        odd.append("bias")
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_THE_BASE):
        # Such an adapter belongs to a base without its first product, which peft works out again.
        odd.append(f"init_lora_weights {start!r}")
    if odd:
        hint = "merge the adapter into its base with peft first, and use the result as a parent"
        raise CheckpointError(f"{_CONFIG}: {odd[0]} is not supported", hint=hint)
    return config


def _pattern(patterns: Any, module: str, default: Any) -> Any:
    """The value of the first pattern for this module, as peft's ``get_pattern_key`` finds it."""
    for pattern, value in (patterns or {}).items():
        if module == pattern or _ends(pattern).fullmatch(module):
            return value
    return default


@cache
def _ends(pattern: str) -> re.Pattern[str]:
    """The expression for a whole module name or its last parts.

    It is a stranger's, so it must be one that cannot run for hours: short, with few repetitions
    and none of a group.
    """
    repeated = len(re.findall(r"[*+{]", pattern))
    if (
        len(pattern) <= _PATTERN_LENGTH
        and repeated <= 2
        and not re.search(r"\)[*+?{]|\(\?", pattern)
    ):
        with suppress(re.error):
            return re.compile(rf"(?:.*\.)?(?:{pattern})")
    raise CheckpointError(
        f"{_CONFIG}: alpha_pattern {pattern[:_PATTERN_LENGTH]!r} is not a simple enough expression",
        hint="name the modules in full, or merge the adapter into its base with peft first",
    )


def _unfit(what: str, why: str) -> CheckpointError:
    return CheckpointError(
        f"the adapter does not fit its base: {what!r} {why}",
        hint="use the base model that the adapter names in its adapter_config.json",
    )
