"""The ``Source`` protocol: a readable checkpoint (local folder, Hub, memory, base with LoRA)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from bot.checkpoint.tensor_spec import TensorSpec


@runtime_checkable
class Source(Protocol):
    """A readable checkpoint. Thread-safe; bytes come as stored, little-endian, row-major."""

    @property
    def id(self) -> str:
        """Commit SHA or content digest: two sources with one id hold the same bytes."""
        ...

    def tensors(self) -> Mapping[str, TensorSpec]:
        """Every tensor by name, in the checkpoint's own order."""
        ...

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the tensor's bytes from byte ``offset`` on.

        Raises:
            CheckpointError: the bytes are not there; names the file and the tensor.
        """
        ...

    def file(self, path: str) -> bytes | None:
        """A side file (``config.json``, tokenizer files) or None; size-capped at 64 MiB."""
        ...


@runtime_checkable
class Located(Protocol):
    """A source that knows which file holds a tensor."""

    def file_of(self, name: str) -> str:
        """The file that holds a tensor, as messages should name it."""
        ...


def whereabouts(source: Source, name: str) -> str:
    """`` of FILE`` for error messages about a tensor; empty where the source knows no file."""
    return f" of {source.file_of(name)}" if isinstance(source, Located) else ""


@runtime_checkable
class ExpensiveSource(Protocol):
    """A source that computes or fetches some tensors whenever they are read."""

    def costly(self, name: str) -> bool:
        """Whether reading a tensor again costs more than a file in the system's cache does."""
        ...


def is_costly(source: Source, name: str) -> bool:
    """Whether a tensor that is needed again should be cached; tensors in local files should not."""
    return isinstance(source, ExpensiveSource) and source.costly(name)
