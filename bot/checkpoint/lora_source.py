"""A source that applies a LoRA adapter (Hu et al. 2021) to a base model while it is read.

An adapted weight is ``W + scale * B @ A`` with ``scale = alpha / r`` (``alpha / sqrt(r)`` for
rank-stabilised adapters), computed in float32 and rounded once to the base's dtype. The product is
summed rank by rank, so a byte does not depend on how much is read at once, nor on the machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.checkpoint.decode import decode
from bot.checkpoint.encode import encode
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.lora_config import read_lora_config
from bot.checkpoint.source import Source, is_costly
from bot.checkpoint.tensor_spec import TensorSpec
from bot.errors import CheckpointError

Matrix = npt.NDArray[np.float32]
_WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
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
    """``base`` with ``adapter`` applied; all other tensors are the base's.

    Args:
        base: the model the adapter was trained on.
        adapter: a folder with ``adapter_model.safetensors`` and ``adapter_config.json``, or a
            source of their contents.
        name: how messages call the adapter; its path by default.

    Raises:
        CheckpointError: an adapter of another kind, or one that does not fit the base.
    """

    def __init__(self, base: Source, adapter: Source | Path, name: str | None = None) -> None:
        self._base = base
        self._adapter = _opened(adapter)
        self._name = name or (str(adapter) if isinstance(adapter, Path) else "the adapter")
        self._config = read_lora_config(self._adapter, self._name)
        self._updates, self._replaced = self._match()

    @cached_property
    def id(self) -> str:
        """A digest of both parts' ids."""
        config = json.dumps(self._config.content, sort_keys=True)
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
        """A side file; the adapter's tokenizer files take precedence over the base's."""
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
        with np.errstate(all="ignore"):  # the merge reports tensors that are not finite
            adapted = weight + self._updates[name].rows(first, last)
        encode(adapted.reshape(-1), spec.dtype, stored)
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
        self._config.require_quick(list(factors))
        return {f"{m}.weight": self._update(m, parts) for m, parts in factors.items()}, replaced

    def _replacement(self, plain: str, name: str) -> str:
        """The base tensor that a full tensor of the adapter replaces.

        It is one that was fully trained (``modules_to_save``), or an adapted embedding or head,
        which peft saves beside its factors (``base_layer``).
        """
        target = plain
        for part in (".modules_to_save.default.", ".modules_to_save.", ".base_layer."):
            target = target.replace(part, ".")
        ours, theirs = self.tensors().get(target), self._adapter.tensors()[name]
        if ours is None or ours.shape != theirs.shape:
            raise self._unfit(name, "replaces no tensor of the base of its shape")
        if ours.dtype != theirs.dtype and not (ours.dtype.mergeable and theirs.dtype.mergeable):
            raise self._unfit(name, f"is {theirs.dtype}, the base's tensor {ours.dtype}")
        return target

    def _update(self, module: str, parts: Mapping[str, str]) -> _Update:
        if parts.keys() != {"a", "b"}:
            raise self._unfit(module, "has only one of its two factors")
        a, b = self._matrix(parts["a"]), self._matrix(parts["b"])
        turned = "embedding" in parts["a"] or self._config.turned
        left, right = (a.T, b.T) if turned else (b, a)
        target = self.tensors().get(f"{module}.weight")
        product = (left.shape[0], right.shape[1])
        if target is None or target.shape != product or left.shape[1] != right.shape[0]:
            found = "no such weight" if target is None else f"a weight of shape {target.shape}"
            raise self._unfit(module, f"gives an update of shape {product}; the base has {found}")
        if not target.dtype.mergeable:
            raise self._unfit(module, f"adapts a weight stored as {target.dtype}")
        scale = np.float32(self._config.scale(module, left.shape[1]))
        return _Update(
            left=np.ascontiguousarray(left), right=np.ascontiguousarray(right), scale=scale
        )

    def _matrix(self, name: str) -> Matrix:
        spec = self._adapter.tensors()[name]
        if len(spec.shape) != 2 or not spec.dtype.mergeable:
            raise self._unfit(name, f"is {spec.dtype} of shape {spec.shape}, not a matrix")
        stored = memoryview(bytearray(spec.nbytes))
        self._adapter.read_into(name, 0, stored)
        return decode(stored, spec.dtype).reshape(spec.shape)

    def _unfit(self, what: str, why: str) -> CheckpointError:
        return CheckpointError(
            f"{self._name} does not fit its base: {what!r} {why}",
            hint="use the base model that the adapter names in its adapter_config.json",
        )


def _opened(adapter: Source | Path) -> Source:
    return FolderSource(adapter, _WEIGHTS) if isinstance(adapter, Path) else adapter
