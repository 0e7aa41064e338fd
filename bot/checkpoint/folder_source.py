"""A source that reads a local checkpoint folder: ``model.safetensors``, or shards with an index."""

from __future__ import annotations

import errno
import os
import stat
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath

from bot.checkpoint.digest import model_digest, shapes_behaviour
from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.header import PREFIX_BYTES, Extent, header_length, parse_header
from bot.checkpoint.shard_index import parse_index, place_tensors
from bot.checkpoint.tensor_spec import TensorSpec
from bot.errors import CheckpointError

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
MAX_SIDE_FILE_BYTES = 64 << 20
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_MAX_READ_BYTES = 1 << 30
_HINTS = {
    errno.EACCES: "check the permissions of the file and of its folder",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EIO: "check the disk",
}


@contextmanager
def readable(subject: Path | str) -> Iterator[None]:
    """Turn an ``OSError`` inside the block into a ``CheckpointError``."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "is the checkpoint complete?")
        raise CheckpointError(f"cannot read {subject}: {error.strerror}", hint=hint) from error


class FolderSource:
    """A safetensors checkpoint on a local disk.

    Files are opened once and read by position, so any number of threads may read and a folder that
    is replaced meanwhile does no harm.

    Args:
        path: the folder.
        weights: the name of an unsharded file of weights.
        digests: where digests of files are kept; by default each source hashes its files itself.

    Raises:
        CheckpointError: no safetensors, a broken header, an index that does not fit its shards.
    """

    def __init__(
        self,
        path: Path | str,
        weights: str = SINGLE_FILE,
        *,
        digests: FileDigests | None = None,
    ) -> None:
        self.path = Path(path)
        self._digests = digests or FileDigests()
        self._places: dict[str, tuple[_File, Extent]] = {}
        for name, file, extent in _contents(self.path, weights):
            self._places[name] = (file, extent)
        self._specs = {name: extent.spec for name, (_, extent) in self._places.items()}

    @cached_property
    def id(self) -> str:
        """The model digest: tensors, config, generation config, tokenizer and template."""
        return model_digest(self._specs, self.tensor_digests(), self._behaviour_files())

    def tensor_digests(self) -> dict[str, str]:
        """The digest of every tensor by name; each file is read once, or not at all where known."""
        found: dict[str, str] = {}
        for file, extents in self._by_file():
            found |= self._digests.of(file.descriptor, file.read_into, extents).tensors
        return {name: found[name] for name in self._specs}

    def file_sha256s(self) -> dict[str, tuple[str, int]]:
        """SHA-256 in hex and size in bytes of every file in the folder, hidden ones left out.

        Files of weights are read in the same pass as for ``tensor_digests``.
        """
        known = {file.path.name: (file, extents) for file, extents in self._by_file()}
        found: dict[str, tuple[str, int]] = {}
        with readable(self.path):
            paths = sorted(path for path in self.path.iterdir() if path.is_file())
        for path in paths:
            if not path.name.startswith("."):
                file, extents = known.get(path.name) or (_File(path), {})
                digest = self._digests.of(file.descriptor, file.read_into, extents)
                found[path.name] = (digest.sha256, file.size)
        return found

    def _by_file(self) -> Iterator[tuple[_File, dict[str, Extent]]]:
        """Each open file of weights with the tensors that are read from it."""
        tensors: dict[_File, dict[str, Extent]] = {}
        for name, (file, extent) in self._places.items():
            tensors.setdefault(file, {})[name] = extent
        yield from tensors.items()

    def tensors(self) -> Mapping[str, TensorSpec]:
        """Every tensor by name, in the order of the files."""
        return self._specs

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the tensor's bytes from byte ``offset`` on.

        Raises:
            CheckpointError: no such tensor or range, or the file ends early.
        """
        if name not in self._places:
            raise CheckpointError(f"{self.path} has no tensor {name!r}")
        file, extent = self._places[name]
        if offset < 0 or offset + out.nbytes > extent.spec.nbytes:
            span = f"bytes {offset} to {offset + out.nbytes}"
            raise CheckpointError(f"{file.path}: tensor {name!r} has no {span}")
        file.read_into(extent.start + offset, out, name)

    def file_of(self, name: str) -> str:
        """The path of the file that holds a tensor."""
        return str(self._places[name][0].path)

    def file(self, path: str) -> bytes | None:
        """A side file's bytes, or None where it does not exist.

        Raises:
            CheckpointError: the name leaves the folder, or the file is unreadable or over 64 MiB.
        """
        place = PurePosixPath(path)
        if place.is_absolute() or ".." in place.parts:
            raise CheckpointError(f"{path!r} is not a file name inside a checkpoint")
        full = self.path / place
        with readable(full):
            if not full.is_file():
                return None
            size = full.stat().st_size
            if size > MAX_SIDE_FILE_BYTES:
                limit = f"the limit for a side file is {MAX_SIDE_FILE_BYTES}"
                raise CheckpointError(f"{full} has {size} bytes; {limit}")
            return full.read_bytes()

    def _behaviour_files(self) -> dict[str, bytes]:
        with readable(self.path):
            names = sorted(
                entry.name
                for entry in self.path.iterdir()
                if entry.is_file() and shapes_behaviour(entry.name)
            )
        return {name: data for name in names if (data := self.file(name)) is not None}


class _File:
    """An open file that is read by position."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with readable(path):  # a pipe would keep an open that may wait, waiting for ever
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
        weakref.finalize(self, os.close, self._fd)
        facts = os.fstat(self._fd)
        if not stat.S_ISREG(facts.st_mode):
            message = f"{path} is not a regular file but a folder, a pipe or a device"
            raise CheckpointError(message, hint="download or export the model again")
        self.size, self._changed = facts.st_size, facts.st_mtime_ns

    @property
    def descriptor(self) -> int:
        """The descriptor of the open file."""
        return self._fd

    def extents(self) -> Mapping[str, Extent]:
        """The tensors of this file."""
        prefix = bytearray(min(PREFIX_BYTES, self.size))
        self.read_into(0, memoryview(prefix))
        length = header_length(bytes(prefix), self.size, str(self.path))
        raw = bytearray(length)
        self.read_into(PREFIX_BYTES, memoryview(raw))
        return parse_header(bytes(raw), self.size, str(self.path))

    def read_into(self, position: int, out: memoryview, tensor: str = "") -> None:
        """Fill ``out`` from ``position`` on.

        Raises:
            CheckpointError: the file ends early, cannot be read, or was written to since it was
                opened: what was read before and after would not belong together.
        """
        out = out.cast("B")
        while out.nbytes:
            with readable(self._subject(tensor)):
                count = _pread(self._fd, out[:_MAX_READ_BYTES], position)
            if count == 0:
                message = f"{self._subject(tensor)} ends early, at byte {position}"
                raise CheckpointError(message, hint="the file was cut; download it again")
            out = out[count:]
            position += count
        if os.fstat(self._fd).st_mtime_ns != self._changed:
            message = f"{self._subject(tensor)} was changed while it was being read"
            raise CheckpointError(message, hint="let whatever writes it finish, then start again")

    def _subject(self, tensor: str) -> str:
        return f"{self.path}: tensor {tensor!r}" if tensor else str(self.path)


def _pread(fd: int, out: memoryview, position: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(fd, [out], position)
    data = os.pread(fd, out.nbytes, position)
    out[: len(data)] = data
    return len(data)


def _contents(folder: Path, weights: str) -> list[tuple[str, _File, Extent]]:
    with readable(folder):
        if not folder.is_dir():
            raise CheckpointError(f"{folder} is not a folder", hint="is the path right?")
        single, sharded = (folder / weights).is_file(), (folder / INDEX_FILE).is_file()
    if single:
        file = _File(folder / weights)
        return [(name, file, extent) for name, extent in file.extents().items()]
    if sharded:
        return _sharded(folder)
    raise _no_safetensors(folder, weights)


def _sharded(folder: Path) -> list[tuple[str, _File, Extent]]:
    index = folder / INDEX_FILE
    shard_of = _weight_map(index)
    files = {shard: _File(folder / shard) for shard in sorted(set(shard_of.values()))}
    headers = ((shard, file.extents()) for shard, file in files.items())
    places = place_tensors(shard_of, headers, str(index))
    return [(name, files[shard], extent) for name, (shard, extent) in places.items()]


def _weight_map(index: Path) -> dict[str, str]:
    with readable(index):
        if index.stat().st_size > MAX_SIDE_FILE_BYTES:
            raise CheckpointError(f"{index} is larger than {MAX_SIDE_FILE_BYTES} bytes")
        raw = index.read_bytes()
    return parse_index(raw, str(index))


def _no_safetensors(folder: Path, weights: str) -> CheckpointError:
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        return CheckpointError(
            f"{folder} holds only pickled weights ({pickles[0]}), which can run code when loaded",
            hint="convert them to safetensors, in a sandbox: "
            "https://huggingface.co/docs/safetensors/convert-weights",
        )
    if weights == SINGLE_FILE and (folder / "adapter_config.json").exists():
        return CheckpointError(
            f"{folder} is a LoRA adapter, not a model",
            hint=f"write it with its base model, such as org/base+./{folder.name}",
        )
    return CheckpointError(
        f"{folder} has neither {weights} nor {INDEX_FILE}", hint="is this a model folder?"
    )
