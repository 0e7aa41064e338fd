"""Pull requests and discussions, opened by people who may not write."""

from __future__ import annotations

from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.community import DiscussionComment, DiscussionCommit, DiscussionStatusChange
from huggingface_hub.errors import HfHubHTTPError

from tests.hub_server import HubServer
from tests.test_hub_server.conftest import Read


def propose(api: HfApi, repo: str, path: str, content: bytes, **options: Any) -> int:
    commit = api.create_commit(
        repo,
        [CommitOperationAdd(path, content)],
        commit_message=f"Add {path}",
        create_pr=True,
        **options,
    )
    assert commit.pr_num is not None
    assert commit.pr_revision == f"refs/pr/{commit.pr_num}"
    found: int = commit.pr_num
    return found


def test_a_stranger_proposes_and_a_member_merges(
    api: HfApi, stranger: HfApi, repo: str, read: Read
) -> None:
    num = propose(stranger, repo, "weights.bin", b"\0weights")
    assert "weights.bin" not in api.list_repo_files(repo)
    assert read(repo, "weights.bin", revision=f"refs/pr/{num}") == b"\0weights"
    thread = api.get_discussion_details(repo, num)
    assert (thread.status, thread.is_pull_request, thread.author) == ("open", True, "stranger")
    assert thread.target_branch == "refs/heads/main"
    with pytest.raises(HfHubHTTPError):
        stranger.merge_pull_request(repo, num)
    api.merge_pull_request(repo, num, comment="thanks")
    merged = api.get_discussion_details(repo, num)
    assert merged.status == "merged"
    assert merged.merge_commit_oid == api.model_info(repo).sha
    assert read(repo, "weights.bin") == b"\0weights"
    kinds = [type(event) for event in merged.events]
    assert kinds == [
        DiscussionComment,
        DiscussionCommit,
        DiscussionComment,
        DiscussionStatusChange,
    ]


def test_a_draft_is_filled_opened_and_merged(api: HfApi, stranger: HfApi, repo: str) -> None:
    draft = stranger.create_pull_request(repo, "A title", description="why")
    assert (draft.num, draft.status) == (1, "draft")
    stranger.upload_file(
        path_or_fileobj=b"text\n", path_in_repo="a.txt", repo_id=repo, revision="refs/pr/1"
    )
    with pytest.raises(HfHubHTTPError):
        api.merge_pull_request(repo, 1)
    stranger.change_discussion_status(repo, 1, "open")
    assert "+text" in (api.get_discussion_details(repo, 1).diff or "")
    api.merge_pull_request(repo, 1)
    assert "a.txt" in api.list_repo_files(repo)
    refs = api.list_repo_refs(repo, include_pull_requests=True)
    assert [ref.ref for ref in refs.pull_requests or []] == ["refs/pr/1"]


def test_merging_keeps_what_happened_meanwhile(api: HfApi, repo: str) -> None:
    api.upload_file(path_or_fileobj=b"1", path_in_repo="old", repo_id=repo)
    commit = api.create_commit(
        repo, [CommitOperationDelete("old")], commit_message="delete", create_pr=True
    )
    api.upload_file(path_or_fileobj=b"2", path_in_repo="new", repo_id=repo)
    assert commit.pr_num is not None
    api.merge_pull_request(repo, commit.pr_num)
    assert api.list_repo_files(repo) == [".gitattributes", "new"]


def test_conflicts_are_named_and_not_merged(api: HfApi, repo: str) -> None:
    num = propose(api, repo, "a.txt", b"theirs")
    head = api.upload_file(path_or_fileobj=b"ours", path_in_repo="a.txt", repo_id=repo).oid
    assert api.get_discussion_details(repo, num).conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError) as error:
        api.merge_pull_request(repo, num)
    assert error.value.response.status_code == 409
    assert api.model_info(repo).sha == head


def test_parent_commit_is_where_a_pull_request_starts(api: HfApi, repo: str) -> None:
    base = api.model_info(repo).sha
    assert base is not None
    api.upload_file(path_or_fileobj=b"x", path_in_repo="later", repo_id=repo)
    num = propose(api, repo, "a.txt", b"x", parent_commit=base)
    assert "later" not in api.list_repo_files(repo, revision=f"refs/pr/{num}")


def test_threads_are_listed_commented_renamed_closed(
    api: HfApi, stranger: HfApi, repo: str, server: HubServer
) -> None:
    server.dials.page_size = 2
    for number in range(3):
        stranger.create_discussion(repo, f"Question {number}")
    propose(api, repo, "a.txt", b"x")
    assert [thread.num for thread in api.get_repo_discussions(repo)] == [4, 3, 2, 1]
    mine = api.get_repo_discussions(repo, author="tester")
    assert [thread.num for thread in mine] == [4]
    pulls = api.get_repo_discussions(repo, discussion_type="pull_request")
    assert [thread.num for thread in pulls] == [4]
    assert api.comment_discussion(repo, 1, "An answer").content == "An answer"
    assert api.rename_discussion(repo, 1, "Better title").new_title == "Better title"
    assert api.change_discussion_status(repo, 1, "closed", comment="done").new_status == "closed"
    closed = api.get_repo_discussions(repo, discussion_status="closed")
    assert [(thread.num, thread.title) for thread in closed] == [(1, "Better title")]
    with pytest.raises(HfHubHTTPError):
        api.get_discussion_details(repo, 99)
