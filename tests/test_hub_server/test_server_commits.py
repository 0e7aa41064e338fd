"""Commits: atomic, guarded by their parent, with every kind of operation."""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
)
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RevisionNotFoundError,
)

from tests.hub_server import HubServer
from tests.present import present
from tests.test_hub_server.conftest import Read


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def test_one_commit_holds_regular_and_lfs_files(api: HfApi, repo: str, server: HubServer) -> None:
    weights = os.urandom(200_000)
    commit = api.create_commit(
        repo,
        [add("config.json", b"{}"), add("sub/model.safetensors", weights), add("empty", b"")],
        commit_message="title",
        commit_description="more",
    )
    assert api.model_info(repo).sha == commit.oid
    files = {
        file.rfilename: file for file in present(api.model_info(repo, files_metadata=True).siblings)
    }
    assert (
        present(files["sub/model.safetensors"].lfs)["sha256"] == hashlib.sha256(weights).hexdigest()
    )
    assert files["config.json"].lfs is None
    assert files["config.json"].blob_id == hashlib.sha1(b"blob 2\0{}").hexdigest()
    assert [entry.title for entry in api.list_repo_commits(repo)] == ["title", "initial commit"]
    assert server.requests.count("commit") == 1
    assert server.requests.count("lfs-put") == 1


def test_large_objects_go_in_parts(api: HfApi, repo: str, server: HubServer, read: Read) -> None:
    server.dials.multipart_over = 100_000
    server.dials.part_size = 50_000
    weights = os.urandom(220_001)
    api.upload_file(path_or_fileobj=weights, path_in_repo="model.safetensors", repo_id=repo)
    assert server.requests.count("lfs-put") == 5
    assert server.requests.count("lfs-complete") == 1
    assert server.requests.count("lfs-verify") == 1
    assert read(repo, "model.safetensors") == weights


def test_stored_objects_are_not_sent_again(api: HfApi, repo: str, server: HubServer) -> None:
    weights = os.urandom(1000)
    operation = add("a.safetensors", weights)
    api.preupload_lfs_files(repo, [operation])
    api.create_commit(repo, [operation], commit_message="first")
    api.upload_file(path_or_fileobj=weights, path_in_repo="b.safetensors", repo_id=repo)
    assert server.requests.count("lfs-put") == 1


def test_unchanged_files_make_no_commit(api: HfApi, repo: str, server: HubServer) -> None:
    operations = [("a.txt", b"text"), ("a.safetensors", b"weights")]
    first = api.create_commit(repo, [add(*o) for o in operations], commit_message="one")
    again = api.create_commit(repo, [add(*o) for o in operations], commit_message="two")
    assert again.oid == first.oid
    assert server.requests.count("commit") == 1


def test_a_moved_head_answers_412(api: HfApi, repo: str) -> None:
    head = api.model_info(repo).sha
    assert head is not None
    second = api.create_commit(repo, [add("a", b"1")], commit_message="one", parent_commit=head[:7])
    with pytest.raises(HfHubHTTPError) as error:
        api.create_commit(repo, [add("a", b"2")], commit_message="two", parent_commit=head)
    assert error.value.response.status_code == 412
    assert api.model_info(repo).sha == second.oid


def test_of_commits_with_one_parent_one_wins(api: HfApi, repo: str) -> None:
    head = api.model_info(repo).sha

    def commit(number: int) -> int:
        try:
            api.create_commit(
                repo,
                [add(f"{number}.txt", b"x")],
                commit_message=str(number),
                parent_commit=head,
            )
        except HfHubHTTPError as error:
            return error.response.status_code
        return 200

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(commit, range(4)))
    assert outcomes == [200, 412, 412, 412]
    assert len(api.list_repo_commits(repo)) == 2


def test_commits_without_a_parent_lose_nothing(api: HfApi, repo: str) -> None:
    def commit(number: int) -> None:
        api.upload_file(path_or_fileobj=b"x", path_in_repo=f"{number}.txt", repo_id=repo)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(commit, range(8)))
    assert len(api.list_repo_files(repo)) == 9


def test_deletions(api: HfApi, repo: str) -> None:
    names = ["keep", "dir/a", "dir/b", "dirt"]
    api.create_commit(repo, [add(name, b"x") for name in names], commit_message="add")
    api.create_commit(
        repo,
        [CommitOperationDelete("dir/"), CommitOperationDelete("dirt")],
        commit_message="delete",
    )
    assert api.list_repo_files(repo) == [".gitattributes", "keep"]
    with pytest.raises(EntryNotFoundError, match="file with this name doesn't exist"):
        api.delete_file("dirt", repo)


def test_copies_within_and_across_repositories(
    api: HfApi, repo: str, server: HubServer, read: Read
) -> None:
    weights = os.urandom(5000)
    operations = [add("w.safetensors", weights), add("note.txt", b"note")]
    api.create_commit(repo, operations, commit_message="source")
    target = f"{repo}-copy"
    api.create_repo(target)
    server.requests.clear()
    api.create_commit(
        target,
        [
            CommitOperationCopy(
                "w.safetensors", "w2.safetensors", src_repo_id=repo, src_repo_type="model"
            ),
            CommitOperationCopy("note.txt", "note2.txt", src_repo_id=repo, src_repo_type="model"),
        ],
        commit_message="copy",
    )
    assert server.requests.count("lfs-duplicate") == 1
    assert server.requests.count("lfs-put") == 0
    assert read(target, "w2.safetensors") == weights
    assert read(target, "note2.txt") == b"note"
    copy = CommitOperationCopy("w2.safetensors", "w3.safetensors")
    api.create_commit(target, [copy], commit_message="again")
    assert read(target, "w3.safetensors") == weights


def test_a_whole_repository_is_duplicated(api: HfApi, repo: str, read: Read) -> None:
    operations = [add("w.safetensors", b"weights"), add("note.txt", b"note")]
    api.create_commit(repo, operations, commit_message="source")
    url = api.duplicate_repo(repo, "tester/twin", private=True)
    assert url.repo_id == "tester/twin"
    assert api.model_info("tester/twin").private
    assert read("tester/twin", "w.safetensors") == b"weights"
    assert [commit.title for commit in api.list_repo_commits("tester/twin")] == [
        f"Duplicate from {repo}"
    ]


def test_an_object_of_another_repository_cannot_be_committed(
    api: HfApi, repo: str, server: HubServer
) -> None:
    content = os.urandom(1000)
    api.upload_file(path_or_fileobj=content, path_in_repo="a.bin", repo_id=repo)
    other = f"{repo}-other"
    api.create_repo(other)
    operation = add("b.bin", content)
    api.preupload_lfs_files(repo, [operation])
    with pytest.raises(BadRequestError, match="was not uploaded"):
        api.create_commit(other, [operation], commit_message="steal")


def test_gitignored_files_stay_out(api: HfApi, repo: str) -> None:
    operations = [
        add(".gitignore", b"*.log\ncache/\n!keep.log\n"),
        add("a.log", b"x"),
        add("keep.log", b"x"),
        add("cache/deep/b.txt", b"x"),
    ]
    api.create_commit(repo, operations, commit_message="add")
    assert api.list_repo_files(repo) == [".gitattributes", ".gitignore", "keep.log"]


def test_a_stream_and_a_folder_can_be_uploaded(api: HfApi, repo: str, tmp_path: Path) -> None:
    api.upload_file(path_or_fileobj=io.BytesIO(b"\0binary"), path_in_repo="stream", repo_id=repo)
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03d}.json").write_text(str(number))
    api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo="results")
    assert len(api.list_repo_commits(repo)) == 3
    assert len(api.list_repo_files(repo)) == 302


def test_branches_tags_and_squash(api: HfApi, repo: str, read: Read) -> None:
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo).oid
    api.create_branch(repo, branch="exp/1")
    with pytest.raises(HfHubHTTPError):
        api.create_branch(repo, branch="exp/1")
    api.create_branch(repo, branch="exp/1", exist_ok=True)
    api.upload_file(path_or_fileobj=b"2", path_in_repo="a", repo_id=repo, revision="exp/1")
    api.create_tag(repo, tag="v1.0", tag_message="release")
    with pytest.raises(HfHubHTTPError):
        api.create_tag(repo, tag="v1.0")
    refs = api.list_repo_refs(repo)
    assert {branch.name for branch in refs.branches} == {"main", "exp/1"}
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1.0", first)]
    assert read(repo, "a", revision="v1.0") == b"1"
    assert read(repo, "a", revision="exp/1") == b"2"
    api.delete_tag(repo, tag="v1.0")
    api.delete_branch(repo, branch="exp/1")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo, revision="exp/1")
    api.super_squash_history(repo)
    assert len(api.list_repo_commits(repo)) == 1
    assert read(repo, "a") == b"1"


def test_commits_come_in_pages(api: HfApi, repo: str, server: HubServer) -> None:
    for number in range(4):
        api.upload_file(path_or_fileobj=b"%d" % number, path_in_repo="a", repo_id=repo)
    server.dials.page_size = 2
    assert len(api.list_repo_commits(repo)) == 5
    assert server.requests.count("commits") == 3


@pytest.mark.parametrize("path", ["a/../../b", "/etc/passwd", ".git/config", "a//b"])
def test_hostile_paths_are_refused(server: HubServer, repo: str, path: str) -> None:
    lines = (
        '{"key":"header","value":{"summary":"x"}}\n'
        f'{{"key":"file","value":{{"path":"{path}","content":"eA==","encoding":"base64"}}}}\n'
    )
    assert post_lines(server, repo, lines) == 400


@pytest.mark.parametrize("lines", ["", "not json\n", '{"key":"bogus","value":{}}\n', "[1]"])
def test_malformed_commits_are_refused(server: HubServer, repo: str, lines: str) -> None:
    assert post_lines(server, repo, lines) == 400


def post_lines(server: HubServer, repo: str, lines: str) -> int:
    answer = httpx.post(
        f"{server.endpoint}/api/models/{repo}/commit/main",
        content=lines,
        headers={"Authorization": f"Bearer {server.token()}"},
    )
    return int(answer.status_code)
