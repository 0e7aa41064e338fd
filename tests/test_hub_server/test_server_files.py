"""Reading: trees, paths, whole files, ranges, headers."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, cast

import httpx2 as httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, HfFileSystem
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile, RepoFolder

from tests.hub_server import HubServer
from tests.present import present

FILES = {
    "README.md": b"---\nlicense: mit\n---\n",
    "a/b/c.txt": b"deep",
    "a/d.txt": b"less deep",
    "with space/ü.txt": b"odd name",
    "model.safetensors": b"",
}


def safetensors(**shapes: list[int]) -> bytes:
    """A file of zeros; independent of the safetensors library."""
    header: dict[str, object] = {}
    end = 0
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


@pytest.fixture
def full(api: HfApi, repo: str, server: HubServer) -> str:
    """A repository with `FILES`."""
    files = {**FILES, "model.safetensors": safetensors(x=[10, 3], y=[5])}
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(repo, operations, commit_message="add")
    server.requests.clear()
    return repo


def test_the_tree_comes_in_pages(api: HfApi, full: str, server: HubServer) -> None:
    server.dials.page_size = 2
    entries = list(api.list_repo_tree(full, recursive=True))
    files = {entry.path for entry in entries if isinstance(entry, RepoFile)}
    folders = {entry.path for entry in entries if isinstance(entry, RepoFolder)}
    assert files == {*FILES, ".gitattributes"}
    assert folders == {"a", "a/b", "with space"}
    assert server.requests.count("tree") == 5


def test_one_level_of_the_tree(api: HfApi, full: str) -> None:
    assert {entry.path for entry in api.list_repo_tree(full, "a")} == {"a/b", "a/d.txt"}
    assert {entry.path for entry in api.list_repo_tree(full, "a", recursive=True)} == {
        "a/b",
        "a/b/c.txt",
        "a/d.txt",
    }
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(full, "nowhere"))
    with pytest.raises(RevisionNotFoundError):
        list(api.list_repo_tree(full, revision="nowhere"))


def test_expanded_entries_know_their_last_commit(api: HfApi, full: str) -> None:
    old = api.model_info(full).sha
    new = api.upload_file(path_or_fileobj=b"2", path_in_repo="a/d.txt", repo_id=full).oid
    entries: dict[str, Any] = {
        entry.path: entry for entry in api.list_repo_tree(full, "a", expand=True)
    }
    assert entries["a/d.txt"].last_commit.oid == new
    assert entries["a/b"].last_commit.oid == old
    assert entries["a/d.txt"].security.safe


def test_paths_info_leaves_out_what_is_missing(api: HfApi, full: str) -> None:
    found = api.get_paths_info(full, ["a", "model.safetensors", "nowhere", "with space/ü.txt"])
    weights = found[1]
    assert isinstance(weights, RepoFile)
    assert [entry.path for entry in found] == ["a", "model.safetensors", "with space/ü.txt"]
    content = safetensors(x=[10, 3], y=[5])
    assert present(weights.lfs).sha256 == hashlib.sha256(content).hexdigest()
    assert weights.size == len(content)


def test_a_snapshot_has_every_byte(api: HfApi, full: str, cache: Path, server: HubServer) -> None:
    server.dials.page_size = 2
    folder = Path(api.snapshot_download(full, cache_dir=cache))
    assert folder.name == api.model_info(full).sha
    for path, content in FILES.items():
        expected = content or safetensors(x=[10, 3], y=[5])
        assert (folder / path).read_bytes() == expected
    verified = api.verify_repo_checksums(full, cache_dir=cache)
    assert verified.checked_count == 6
    assert not verified.mismatches


def test_a_flipped_bit_is_found_by_the_checksums(api: HfApi, full: str, tmp_path: Path) -> None:
    folder = tmp_path / "local"
    api.snapshot_download(full, local_dir=folder)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    mismatches = api.verify_repo_checksums(full, local_dir=folder).mismatches
    assert [mismatch["path"] for mismatch in mismatches] == ["model.safetensors"]


def test_a_missing_file_names_the_commit(api: HfApi, full: str, server: HubServer) -> None:
    with pytest.raises(EntryNotFoundError) as error:
        api.get_hf_file_metadata(url=f"{server.endpoint}/{full}/resolve/main/none")
    answer = cast("HfHubHTTPError", error.value).response
    assert answer.headers["X-Repo-Commit"] == api.model_info(full).sha
    assert not api.file_exists(full, "none")
    assert api.file_exists(full, "a/d.txt")


def test_metadata_of_lfs_files_comes_from_the_redirect(
    api: HfApi, full: str, server: HubServer
) -> None:
    found = api.get_hf_file_metadata(url=f"{server.endpoint}/{full}/resolve/main/model.safetensors")
    content = safetensors(x=[10, 3], y=[5])
    assert found.etag == hashlib.sha256(content).hexdigest()
    assert found.size == len(content)
    assert found.location.startswith(server.cdn)
    assert server.requests.count("cdn-head") == 0


def test_signed_urls_need_no_token_but_cannot_be_forged(
    api: HfApi, full: str, server: HubServer
) -> None:
    url = f"{server.endpoint}/{full}/resolve/main/model.safetensors"
    location = api.get_hf_file_metadata(url=url).location
    assert httpx.get(location).content == safetensors(x=[10, 3], y=[5])
    assert httpx.get(location[:-1] + ("0" if location[-1] != "0" else "1")).status_code == 403


def test_safetensors_headers_are_read_by_range(api: HfApi, full: str, server: HubServer) -> None:
    metadata = api.get_safetensors_metadata(full)
    assert metadata.parameter_count == {"F32": 35}
    assert [r.status for r in server.requests.all() if r.range is not None][-1] == 206
    info = api.model_info(full)
    assert info.safetensors is not None
    assert info.safetensors.total == 35


def test_sharded_headers_come_in_one_answer(api: HfApi, repo: str) -> None:
    shards = {
        "model-1.safetensors": safetensors(x=[2]),
        "model-2.safetensors": safetensors(y=[3]),
        "model.safetensors.index.json": b'{"metadata": {}, "weight_map": {}}',
    }
    operations = [CommitOperationAdd(path, content) for path, content in shards.items()]
    api.create_commit(repo, operations, commit_message="add")
    metadata = api.get_sharded_safetensors_metadata(repo)
    assert metadata.weight_map == {"x": "model-1.safetensors", "y": "model-2.safetensors"}


def test_the_file_system_reads_ranges(api: HfApi, repo: str, server: HubServer) -> None:
    content = os.urandom(100_000)
    api.upload_file(path_or_fileobj=content, path_in_repo="big.bin", repo_id=repo)
    fs = HfFileSystem(endpoint=server.endpoint, token=server.token(), skip_instance_cache=True)
    server.requests.clear()
    with fs.open(f"{repo}/big.bin", "rb", block_size=1000) as file:
        file.seek(50_000)
        assert file.read(100) == content[50_000:50_100]
    assert sum(r.sent for r in server.requests.all() if r.endpoint == "cdn-get") < 5000
    assert fs.ls(repo, detail=False) == [f"{repo}/.gitattributes", f"{repo}/big.bin"]


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-5", 2, 6),
        ("bytes=7-", 7, 10),
        ("bytes=-3", 7, 10),
        ("bytes=5-999", 5, 10),
        ("bytes=-999", 0, 10),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.bin"])
def test_ranges(
    api: HfApi, repo: str, server: HubServer, name: str, wanted: str, start: int, stop: int
) -> None:
    content = b"0123456789"
    api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id=repo)
    url = f"{server.endpoint}/{repo}/resolve/main/{name}"
    answer = httpx.get(url, headers={"Range": wanted}, follow_redirects=True)
    assert (answer.status_code, answer.content) == (206, content[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/10"


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=5-4", "bytes=-", "bytes=-0", "lines=1-2"])
def test_ranges_outside_answer_416(api: HfApi, repo: str, server: HubServer, wanted: str) -> None:
    api.upload_file(path_or_fileobj=b"0123456789", path_in_repo="a.txt", repo_id=repo)
    url = f"{server.endpoint}/{repo}/resolve/main/a.txt"
    answer = httpx.get(url, headers={"Range": wanted})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */10"
