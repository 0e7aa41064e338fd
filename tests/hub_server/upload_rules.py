"""Which uploads go to LFS and which are ignored, as `.gitattributes` and `.gitignore` say."""

from __future__ import annotations

from fnmatch import fnmatchcase

from tests.hub_server.storage.blobs import BlobStore, git_blob_oid
from tests.hub_server.storage.history import Entry, Tree

GITATTRIBUTES = ".gitattributes"
_LFS_SUFFIXES = """
    7z arrow bin bin.* bz2 ckpt ftz gz h5 joblib lfs.* mlmodel model msgpack npy npz onnx ot
    parquet pb pickle pkl pt pth rar safetensors tar tar.* tflite tgz wasm xz zip zst
"""
_DEFAULT = "".join(
    f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in _LFS_SUFFIXES.split()
).encode()
_RULES_LIMIT = 1 << 20


def regular_entry(path: str, sha256: str, content: bytes) -> Entry:
    """A file kept in git itself."""
    oid = git_blob_oid(content)
    return Entry(path=path, sha256=sha256, oid=oid, size=len(content), lfs=False)


def default_gitattributes(blobs: BlobStore) -> Entry:
    """The first file of every repository."""
    return regular_entry(GITATTRIBUTES, blobs.add([_DEFAULT]), _DEFAULT)


def lfs_patterns(blobs: BlobStore, tree: Tree) -> list[str]:
    """The patterns that the tree's `.gitattributes` sends to LFS."""
    rules = (line.split() for line in _read(blobs, tree, GITATTRIBUTES).splitlines())
    return [words[0] for words in rules if "filter=lfs" in words[1:]]


def upload_mode(
    path: str, size: int, sample: bytes, *, patterns: list[str], regular_limit: int
) -> str:
    """`lfs` for matched, binary and big files, `regular` for the rest."""
    if size == 0:
        return "regular"
    if size > regular_limit or b"\0" in sample or any(_matches(path, p) for p in patterns):
        return "lfs"
    return "regular"


def ignore_patterns(blobs: BlobStore, tree: Tree, sent: str | None) -> list[str]:
    """The rules of the `.gitignore` in the request, or of the one in the repository."""
    text = _read(blobs, tree, ".gitignore") if sent is None else sent
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def is_ignored(path: str, patterns: list[str]) -> bool:
    """Whether the last rule that matches excludes the path (`!` takes a path back in)."""
    ignored = False
    for pattern in patterns:
        if _matches(path, pattern.removeprefix("!")):
            ignored = not pattern.startswith("!")
    return ignored


def _matches(path: str, pattern: str) -> bool:
    """git's rule, without `**`: a pattern without a slash matches any part of the path."""
    parts = path.split("/")
    folders = ["/".join(parts[:end]) for end in range(1, len(parts))]
    candidates = folders if pattern.endswith("/") else [*folders, path]
    pattern = pattern.rstrip("/")
    if "/" in pattern:
        return any(_matches_whole(candidate, pattern.lstrip("/")) for candidate in candidates)
    return any(fnmatchcase(candidate.rsplit("/", 1)[-1], pattern) for candidate in candidates)


def _matches_whole(path: str, pattern: str) -> bool:
    """Part by part, because a star stops at a slash."""
    parts, rules = path.split("/"), pattern.split("/")
    return len(parts) == len(rules) and all(map(fnmatchcase, parts, rules))


def _read(blobs: BlobStore, tree: Tree, path: str) -> str:
    entry = tree.get(path)
    return "" if entry is None else blobs.read(entry.sha256, _RULES_LIMIT).decode(errors="replace")
