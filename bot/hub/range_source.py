"""A checkpoint on the Hub, read by HTTP ranges: headers for planning, tensors where wanted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.utils._headers import build_hf_headers

from bot.checkpoint.disk import write_atomic
from bot.checkpoint.folder_source import INDEX_FILE, MAX_SIDE_FILE_BYTES, SINGLE_FILE
from bot.checkpoint.header import PREFIX_BYTES, Extent, header_length, parse_header
from bot.checkpoint.shard_index import parse_index, place_tensors
from bot.checkpoint.tensor_spec import TensorSpec
from bot.errors import CheckpointError
from bot.events import silent
from bot.hub.client import Hub
from bot.hub.download import fetch, needed
from bot.hub.hub_errors import BrokenTransferError, explained
from bot.hub.repo_snapshot import Snapshot

FIRST_BYTES = 128 << 10
"""One request brings most headers whole."""
MOST_SKIPPED = 64 << 20


class RangeSource:
    """A safetensors checkpoint that stays on the Hub; thread-safe.

    Args:
        hub: where it is.
        snapshot: the repository at a commit.
        weights: the name of an unsharded file of weights.

    Headers are kept in the cache by commit. Tensor bytes come over TLS and are not hashed: enough
    for planning and for looking at single tensors.

    Raises:
        CheckpointError: no safetensors, a broken header, an index that does not fit its shards.
    """

    def __init__(self, hub: Hub, snapshot: Snapshot, weights: str = SINGLE_FILE) -> None:
        self._hub = hub
        self._snapshot = snapshot
        self._weights = weights
        needed(snapshot)

    @property
    def id(self) -> str:
        """The commit."""
        return self._snapshot.commit

    def tensors(self) -> Mapping[str, TensorSpec]:
        """Every tensor by name, in the order of the files."""
        return {name: extent.spec for name, (_, extent) in self._places.items()}

    def costly(self, name: str) -> bool:
        """Every byte comes over the network."""
        return name in self._places

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the tensor's bytes from byte ``offset`` on.

        Raises:
            CheckpointError: no such tensor or range.
            HubError: the Hub does not give the bytes.
        """
        if name not in self._places:
            raise CheckpointError(f"{self._snapshot.repo} has no tensor {name!r}")
        path, extent = self._places[name]
        view = out.cast("B")
        if offset < 0 or offset + view.nbytes > extent.spec.nbytes:
            span = f"bytes {offset} to {offset + view.nbytes}"
            raise CheckpointError(f"{self._where(path)}: tensor {name!r} has no {span}")
        view[:] = self._read(path, extent.start + offset, view.nbytes)

    def file_of(self, name: str) -> str:
        """The repository's file that holds a tensor."""
        return self._where(self._places[name][0])

    def file(self, path: str) -> bytes | None:
        """A side file, fetched whole and checked; None when there is none.

        Raises:
            CheckpointError: it exceeds 64 MiB.
            HubError: the Hub does not give it.
        """
        remote = self._snapshot.files.get(path)
        if remote is None or "/" in path:
            return None
        if remote.size > MAX_SIDE_FILE_BYTES:
            limit = f"the limit for a side file is {MAX_SIDE_FILE_BYTES}"
            raise CheckpointError(f"{self._where(path)} has {remote.size} bytes; {limit}")
        return (fetch(self._hub, self._snapshot, [path], silent) / path).read_bytes()

    @cached_property
    def _places(self) -> Mapping[str, tuple[str, Extent]]:
        if self._weights in self._snapshot.files:
            return {
                name: (self._weights, extent)
                for name, extent in self._extents(self._weights).items()
            }
        if INDEX_FILE not in self._snapshot.files:
            neither = f"neither {self._weights} nor {INDEX_FILE}"
            raise CheckpointError(f"{self._where('')} has {neither}", hint="is this a model?")
        where = self._where(INDEX_FILE)
        shard_of = parse_index(self.file(INDEX_FILE) or b"", where)
        shards = sorted(set(shard_of.values()))
        for shard in shards:
            if shard not in self._snapshot.files:
                raise CheckpointError(f"{where} names {shard}, which is not there")
        return place_tensors(shard_of, ((shard, self._extents(shard)) for shard in shards), where)

    def _extents(self, path: str) -> Mapping[str, Extent]:
        size = self._snapshot.files[path].size
        return parse_header(self._header(path), size, self._where(path))

    def _header(self, path: str) -> bytes:
        facts = self._hub.cache.facts(self._snapshot.repo)
        kept = facts / f"{self._snapshot.commit}.headers" / path
        if kept.is_file():
            return kept.read_bytes()
        size = self._snapshot.files[path].size
        first = self._read(path, 0, min(FIRST_BYTES, size))
        length = header_length(first[:PREFIX_BYTES], size, self._where(path))
        end = PREFIX_BYTES + length
        if end > len(first):
            first += self._read(path, len(first), end - len(first))
        raw = first[PREFIX_BYTES:end]
        parse_header(raw, size, self._where(path))
        write_atomic(kept, raw)
        return raw

    def _read(self, path: str, start: int, count: int) -> bytes:
        if count == 0:
            return b""
        repo = self._snapshot.repo
        with explained(f"read {path} of", repo, self._hub.url(repo)):
            return self._hub.retry_policy.retrying(lambda: self._request(path, start, count))

    def _request(self, path: str, start: int, count: int) -> bytes:
        url = hf_hub_url(
            self._snapshot.repo, path, revision=self._snapshot.commit, endpoint=self._hub.endpoint
        )
        headers = build_hf_headers(token=self._hub.api.token)
        headers |= {"Range": f"bytes={start}-{start + count - 1}", "Accept-Encoding": "identity"}
        with get_session().stream("GET", url, headers=headers) as answer:
            hf_raise_for_status(answer)
            skip = 0 if answer.status_code == 206 else start
            if skip > MOST_SKIPPED:
                raise BrokenTransferError("the Hub ignores byte ranges")
            data = bytearray()
            for piece in answer.iter_bytes():
                data += piece
                if len(data) >= skip + count:
                    break
        if len(data) < skip + count:
            raise BrokenTransferError(f"{path} ended after {len(data)} of {skip + count} bytes")
        return bytes(data[skip : skip + count])

    def _where(self, path: str) -> str:
        return f"{self._snapshot.repo}@{self._snapshot.commit[:12]}/{path}"
