"""SHA-256 digests of tensors and models.

A tensor's digest is the SHA-256 over the SHA-256s of its 4 MiB blocks, so blocks can be hashed in
any order and on any thread. A model's digest covers everything that changes its behavior:
tensors (wherever they are sharded), config, generation config, tokenizer and chat template.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from bot.checkpoint.source import Source
from bot.checkpoint.tensor_spec import TensorSpec

BLOCK_BYTES = 4 << 20
_BEHAVIOUR_FILES = (
    "config.json", "generation_config.json",
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "tokenizer.tiktoken",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
    "spiece.model", "sentencepiece.bpe.model", "chat_template.json", "*.jinja",
)  # fmt: skip


Sha256s = Callable[[Sequence[memoryview]], Sequence[bytes]]
"""Hashes several messages."""


def one_by_one(messages: Sequence[memoryview]) -> list[bytes]:
    """Their SHA-256s."""
    return [hashlib.sha256(message).digest() for message in messages]


class TensorDigest:
    """The digest of one tensor, computed from pieces that arrive in any order, on any thread.

    Args:
        nbytes: the size of the tensor.
        sha256s: hashes the blocks that come in one piece.
    """

    def __init__(self, nbytes: int, sha256s: Sha256s = one_by_one) -> None:
        self._nbytes = nbytes
        self._sha256s = sha256s
        self._blocks: list[bytes | None] = [None] * -(-nbytes // BLOCK_BYTES)
        self._open: dict[int, _Block] = {}
        self._lock = threading.Lock()

    def take(self, offset: int, data: memoryview) -> None:
        """Take the bytes from ``offset`` on, which may change afterwards; each is given once.

        Raises:
            ValueError: there are more of them than the tensor has.
        """
        if offset + data.nbytes > self._nbytes:
            raise ValueError(f"a tensor of {self._nbytes} bytes has none at {offset + data.nbytes}")
        whole: dict[int, memoryview] = {}
        while data.nbytes:
            index, inside = divmod(offset, BLOCK_BYTES)
            size = min(BLOCK_BYTES, self._nbytes - index * BLOCK_BYTES)
            piece, data = data[: size - inside], data[size - inside :]
            offset += piece.nbytes
            if piece.nbytes == size:
                whole[index] = piece
            else:
                self._take_piece(index, inside, piece, size)
        for index, digest in zip(whole, self._sha256s([*whole.values()]), strict=True):
            self._blocks[index] = digest

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

    def _take_piece(self, index: int, inside: int, piece: memoryview, size: int) -> None:
        """Hash a block's first piece at once; keep later pieces until the block is complete."""
        kept = bytes(piece) if inside else hashlib.sha256(piece)
        with self._lock:
            block = self._open.setdefault(index, _Block())
            block.pieces[inside] = kept
            block.held += piece.nbytes
            complete = block.held == size
            if complete:
                del self._open[index]
        if complete:
            hasher: Any = block.pieces.pop(0)
            for _, later in sorted(block.pieces.items()):
                hasher.update(later)
            self._blocks[index] = hasher.digest()


@dataclass
class _Block:
    """The pieces of an incomplete block, by their offset in it."""

    pieces: dict[int, hashlib._Hash | bytes] = field(default_factory=dict)
    held: int = 0


def tensor_digest(source: Source, spec: TensorSpec) -> str:
    """The digest of one tensor of a source, read block by block."""
    digest = TensorDigest(spec.nbytes)
    buffer = memoryview(bytearray(min(BLOCK_BYTES, spec.nbytes)))
    for offset in range(0, spec.nbytes, BLOCK_BYTES):
        block = buffer[: spec.nbytes - offset]
        source.read_into(spec.name, offset, block)
        digest.take(offset, block)
    return digest.hexdigest()


def shapes_behaviour(path: str) -> bool:
    """Whether a side file is part of the model digest (cards and licenses are not)."""
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
