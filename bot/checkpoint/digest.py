"""What a tensor, a file and a model are called by their bytes.

A tensor's digest is a SHA-256 over the SHA-256s of its 4 MiB blocks, so blocks can be hashed as
they pass, in any order and on any thread. A model's digest covers what changes its behaviour:
tensors (wherever they are sharded), config, generation config, tokenizer and chat template.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from bot.checkpoint.source import Source
from bot.checkpoint.tensor import TensorSpec

BLOCK_BYTES = 4 << 20
_BEHAVIOUR_FILES = (
    "config.json", "generation_config.json",
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "tokenizer.tiktoken",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
    "spiece.model", "sentencepiece.bpe.model", "chat_template.json", "*.jinja",
)  # fmt: skip


class TensorDigest:
    """The digest of one tensor, put together from parts that come in any order, on any thread."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._blocks: list[bytes | None] = [None] * -(-nbytes // BLOCK_BYTES)
        self._open: dict[int, _Block] = {}
        self._lock = threading.Lock()

    def part(self, offset: int) -> Part:
        """Begin a part; each byte of the tensor belongs to one."""
        return Part(self, offset)

    def hexdigest(self) -> str:
        """The digest.

        Raises:
            ValueError: some bytes were never given.
        """
        whole = hashlib.sha256()
        for index, block in enumerate(self._blocks):
            if block is None:
                raise ValueError(f"block {index} of the tensor was never hashed")
            whole.update(block)
        return whole.hexdigest()

    def block_bytes(self, index: int) -> int:
        """How many bytes a block has."""
        return min(BLOCK_BYTES, self._nbytes - index * BLOCK_BYTES)

    def take(self, offset: int, piece: hashlib._Hash | bytes, size: int) -> None:
        """Take what lies from ``offset`` on in one block: hashed where a block begins, else raw."""
        index = offset // BLOCK_BYTES
        with self._lock:
            block = self._open.setdefault(index, _Block())
            block.pieces[offset] = piece
            block.held += size
            complete = block.held == self.block_bytes(index)
            if complete:
                del self._open[index]
        if complete:
            hasher: Any = block.pieces.pop(index * BLOCK_BYTES)
            for _, later in sorted(block.pieces.items()):
                hasher.update(later)
            self._blocks[index] = hasher.digest()


@dataclass
class _Block:
    """What is there of a block that several parts share."""

    pieces: dict[int, hashlib._Hash | bytes] = field(default_factory=dict)
    held: int = 0


class Part:
    """Hashes part of a tensor piece by piece, while what was made is still in a cache."""

    def __init__(self, digest: TensorDigest, offset: int) -> None:
        self._digest = digest
        self._at = offset
        self._block: hashlib._Hash | None = None

    def update(self, piece: memoryview) -> None:
        """Take the bytes that follow; they may change afterwards."""
        while piece.nbytes:
            index, inside = divmod(self._at, BLOCK_BYTES)
            left = self._digest.block_bytes(index) - inside
            now, piece = piece[:left], piece[left:]
            if inside == 0:
                self._block = hashlib.sha256()
            if self._block is None:
                self._digest.take(self._at, bytes(now), now.nbytes)
            else:
                self._block.update(now)
            self._at += now.nbytes
            if now.nbytes == left:
                self._hand_over()

    def end(self) -> None:
        """No more bytes follow."""
        self._hand_over()

    def _hand_over(self) -> None:
        if self._block is not None:
            start = (self._at - 1) // BLOCK_BYTES * BLOCK_BYTES
            self._digest.take(start, self._block, self._at - start)
            self._block = None


def tensor_digest(source: Source, spec: TensorSpec) -> str:
    """The digest of one tensor of a source, read block by block."""
    digest = TensorDigest(spec.nbytes)
    buffer = memoryview(bytearray(min(BLOCK_BYTES, spec.nbytes)))
    part = digest.part(0)
    for offset in range(0, spec.nbytes, BLOCK_BYTES):
        block = buffer[: spec.nbytes - offset]
        source.read_into(spec.name, offset, block)
        part.update(block)
    return digest.hexdigest()


def shapes_behaviour(path: str) -> bool:
    """Whether a side file counts in the model digest (a card or a licence does not)."""
    return any(fnmatchcase(PurePosixPath(path).name, pattern) for pattern in _BEHAVIOUR_FILES)


def model_digest(
    layout: Mapping[str, TensorSpec], tensors: Mapping[str, str], files: Mapping[str, bytes]
) -> str:
    """The digest of a model; the order of tensors and their sharding do not matter.

    Args:
        layout: name -> spec of every tensor.
        tensors: name -> tensor digest.
        files: side files; those that do not shape behaviour are ignored.
    """
    rows = {
        name: [spec.dtype.value, list(spec.shape), tensors[name]] for name, spec in layout.items()
    }
    sums = {
        path: hashlib.sha256(data).hexdigest()
        for path, data in files.items()
        if shapes_behaviour(path)
    }
    text = json.dumps({"files": sums, "tensors": rows}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
