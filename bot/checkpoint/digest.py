"""What a tensor, a file and a model are called by their bytes.

A tensor's digest is a SHA-256 over the SHA-256s of its 4 MiB blocks, so blocks can be hashed as
they pass, in any order and on any thread. A model's digest covers what changes its behaviour:
tensors (wherever they are sharded), config, generation config, tokenizer and chat template.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import NamedTuple

from bot.checkpoint.source import Source
from bot.checkpoint.tensor import TensorSpec

BLOCK_BYTES = 4 << 20
_BEHAVIOUR_FILES = (
    "config.json", "generation_config.json",
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "tokenizer.tiktoken",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
    "spiece.model", "sentencepiece.bpe.model", "chat_template.json", "*.jinja",
)  # fmt: skip


class Hashed(NamedTuple):
    """Part of a tensor, hashed: whole blocks as digests, ragged ends as copies, by offset."""

    blocks: dict[int, bytes]
    ends: dict[int, bytes]


def hash_blocks(offset: int, data: memoryview, nbytes: int) -> Hashed:
    """Hash the whole blocks within ``data`` and copy its ragged ends.

    Args:
        offset: where ``data`` stands in its tensor.
        data: the bytes.
        nbytes: the size of the whole tensor.
    """
    hashed = Hashed({}, {})
    while data.nbytes:
        index, inside = divmod(offset, BLOCK_BYTES)
        size = _block_bytes(index, nbytes)
        piece = data[: size - inside]
        if piece.nbytes == size:
            hashed.blocks[index] = hashlib.sha256(piece).digest()
        else:
            hashed.ends[offset] = bytes(piece)
        offset += piece.nbytes
        data = data[piece.nbytes :]
    return hashed


class TensorDigest:
    """The digest of one tensor, put together from its hashed parts in any order."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._blocks: list[bytes | None] = [None] * -(-nbytes // BLOCK_BYTES)
        self._partial: dict[int, tuple[bytearray, int]] = {}

    def add(self, part: Hashed) -> None:
        """Take one part; each byte of the tensor is given once."""
        for index, digest in part.blocks.items():
            self._blocks[index] = digest
        for offset, piece in part.ends.items():
            self._complete(offset, piece)

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

    def _complete(self, offset: int, piece: bytes) -> None:
        index, inside = divmod(offset, BLOCK_BYTES)
        size = _block_bytes(index, self._nbytes)
        buffer, filled = self._partial.pop(index, (bytearray(size), 0))
        buffer[inside : inside + len(piece)] = piece
        filled += len(piece)
        if filled == size:
            self._blocks[index] = hashlib.sha256(buffer).digest()
        else:
            self._partial[index] = (buffer, filled)


def _block_bytes(index: int, nbytes: int) -> int:
    return min(BLOCK_BYTES, nbytes - index * BLOCK_BYTES)


def tensor_digest(source: Source, spec: TensorSpec) -> str:
    """The digest of one tensor of a source, read block by block."""
    digest = TensorDigest(spec.nbytes)
    buffer = memoryview(bytearray(min(BLOCK_BYTES, spec.nbytes)))
    for offset in range(0, spec.nbytes, BLOCK_BYTES):
        block = buffer[: spec.nbytes - offset]
        source.read_into(spec.name, offset, block)
        digest.add(hash_blocks(offset, block, spec.nbytes))
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
