"""Private, gated and read-only: every refusal with the code the client looks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from tests.hub_server import HubServer


@pytest.fixture
def private(api: HfApi, repo: str) -> str:
    api.upload_file(path_or_fileobj=b"\0weights", path_in_repo="a.bin", repo_id=repo)
    api.update_repo_settings(repo, private=True)
    return repo


@pytest.fixture
def gated(api: HfApi, repo: str) -> str:
    api.upload_file(path_or_fileobj=b"\0weights", path_in_repo="a.bin", repo_id=repo)
    api.update_repo_settings(repo, gated="manual")
    return repo


def test_private_repositories_do_not_exist_for_others(
    api: HfApi, stranger: HfApi, visitor: HfApi, private: str, cache: Path
) -> None:
    api.hf_hub_download(private, "a.bin", cache_dir=cache / "mine")
    api.auth_check(private)
    for other in (stranger, visitor):
        for ask in (
            other.model_info,
            other.auth_check,
            other.list_repo_refs,
            other.list_repo_files,
        ):
            with pytest.raises(RepositoryNotFoundError):
                ask(private)
        with pytest.raises(RepositoryNotFoundError):
            other.hf_hub_download(private, "a.bin", cache_dir=cache)


def test_gated_repositories_show_all_but_content(
    api: HfApi, stranger: HfApi, visitor: HfApi, gated: str, cache: Path
) -> None:
    for other in (stranger, visitor):
        assert other.model_info(gated).gated == "manual"
        assert "a.bin" in other.list_repo_files(gated)
        with pytest.raises(GatedRepoError):
            other.auth_check(gated)
        with pytest.raises(GatedRepoError):
            other.hf_hub_download(gated, "a.bin", cache_dir=cache)
    api.auth_check(gated)
    api.grant_access(gated, "stranger")
    stranger.auth_check(gated)
    stranger.hf_hub_download(gated, "a.bin", cache_dir=cache)
    api.reject_access_request(gated, "stranger", rejection_reason=None)
    with pytest.raises(GatedRepoError):
        stranger.auth_check(gated)


def test_strangers_and_read_tokens_write_nothing(
    server: HubServer, stranger: HfApi, repo: str
) -> None:
    reader = HfApi(endpoint=server.endpoint, token=server.token("tester", role="read"))
    for other in (stranger, reader):
        attempts: list[Callable[[HfApi], Any]] = [
            lambda api: api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id=repo),
            lambda api: api.create_branch(repo, branch="b"),
            lambda api: api.create_tag(repo, tag="t"),
            lambda api: api.update_repo_settings(repo, private=True),
            lambda api: api.delete_repo(repo),
            lambda api: api.auth_check(repo, write=True),
            lambda api: api.create_repo(f"{repo}-more"),
        ]
        for attempt in attempts:
            with pytest.raises(HfHubHTTPError) as error:
                attempt(other)
            assert error.value.response.status_code == 403


def test_visitors_are_asked_to_log_in(visitor: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError) as error:
        visitor.delete_repo(repo)
    assert error.value.response.status_code == 401


@pytest.mark.parametrize("repo_id", ["mergebot/none", "gpt2", "nobody/none"])
def test_what_does_not_exist_is_not_found(api: HfApi, repo_id: str, cache: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(repo_id)
    with pytest.raises(RepositoryNotFoundError):
        api.snapshot_download(repo_id, cache_dir=cache)
    with pytest.raises(RepositoryNotFoundError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id=repo_id)


def test_auth_check_write(api: HfApi, repo: str) -> None:
    api.auth_check(repo, write=True)
