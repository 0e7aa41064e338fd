"""The fault dial, as the client feels it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.hub_server import Endpoint, FaultKind, HubServer
from tests.hub_server.endpoints import classify

WEIGHTS = os.urandom(300_000)


@pytest.fixture
def full(api: HfApi, repo: str, server: HubServer) -> str:
    operations = [
        CommitOperationAdd("w.bin", WEIGHTS),
        CommitOperationAdd("a.txt", b"text"),
    ]
    api.create_commit(repo, operations, commit_message="add")
    server.requests.clear()
    return repo


def get(server: HubServer, repo: str, path: str = "a.txt", **headers: str) -> httpx.Response:
    url = f"{server.endpoint}/{repo}/resolve/main/{path}"
    return httpx.get(url, headers=headers, follow_redirects=True)


@pytest.mark.parametrize("kind", ["429", "503", "500", "402", "409", "412"])
def test_a_status_is_answered_instead_of_the_work(
    api: HfApi, repo: str, server: HubServer, kind: str
) -> None:
    fault = server.faults.add("commit", kind)
    head = api.model_info(repo).sha
    with pytest.raises(HfHubHTTPError) as error:
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id=repo)
    assert error.value.response.status_code == int(kind)
    assert fault.hits == 1
    assert api.model_info(repo).sha == head
    api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id=repo)
    assert api.model_info(repo).sha != head


def test_the_client_asks_again_after_a_429(api: HfApi, full: str, server: HubServer) -> None:
    server.faults.add("preupload", "429", retry_after=0)
    api.upload_file(path_or_fileobj=b"y", path_in_repo="b", repo_id=full)
    statuses = [r.status for r in server.requests.all() if r.endpoint is Endpoint.PREUPLOAD]
    assert statuses == [429, 200]


def test_skip_and_times_count_matching_requests(full: str, server: HubServer) -> None:
    fault = server.faults.add("resolve-get", "503", times=2, skip=1, path="a.txt")
    assert get(server, full, "w.bin").content == WEIGHTS
    assert [get(server, full).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert fault.hits == 2
    assert server.requests.count("cdn-get") == 1


def test_any_request_can_be_the_one(api: HfApi, repo: str, server: HubServer) -> None:
    def journey() -> None:
        api.model_info(repo)
        api.list_repo_refs(repo)

    journey()
    for number, request in enumerate(server.requests.all()):
        server.faults.clear()
        server.faults.add("any", "402", skip=number)
        server.requests.clear()
        with pytest.raises(HfHubHTTPError):
            journey()
        assert server.requests.all()[-1].endpoint is request.endpoint


def test_a_fault_without_end(full: str, server: HubServer) -> None:
    server.faults.add("resolve-get", "500", times=None)
    assert {get(server, full).status_code for _ in range(5)} == {500}
    server.faults.clear()
    assert get(server, full).status_code == 200


def test_dropped_before_means_nothing_happened(api: HfApi, repo: str, server: HubServer) -> None:
    head = api.model_info(repo).sha
    server.faults.add("commit", "drop-before")
    with pytest.raises(httpx.TransportError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id=repo)
    assert api.model_info(repo).sha == head


def test_dropped_after_means_it_happened_unheard(api: HfApi, repo: str, server: HubServer) -> None:
    head = api.model_info(repo).sha
    server.faults.add("commit", "drop-after")
    with pytest.raises(httpx.TransportError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id=repo)
    assert api.model_info(repo).sha != head
    assert "a" in api.list_repo_files(repo)
    assert [r.fault for r in server.requests.all() if r.endpoint == "commit"] == ["drop-after"]


@pytest.mark.parametrize("kind", ["drop-before", "drop-after", "503"])
def test_the_client_repeats_a_lost_upload(
    api: HfApi, repo: str, server: HubServer, kind: str
) -> None:
    server.faults.add("lfs-put", kind)
    api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="w.bin", repo_id=repo)
    assert get(server, repo, "w.bin").content == WEIGHTS


def test_the_client_resumes_a_short_body(
    api: HfApi, repo: str, server: HubServer, cache: Path
) -> None:
    content = bytes(22 << 20)  # the client keeps what it has in steps of 10 MiB
    api.upload_file(path_or_fileobj=content, path_in_repo="big.bin", repo_id=repo)
    server.faults.add("cdn-get", "short-body")
    path = api.hf_hub_download(repo, "big.bin", cache_dir=cache)
    assert Path(path).read_bytes() == content
    requests = [r for r in server.requests.all() if r.endpoint is Endpoint.CDN_GET]
    assert [(r.status, r.range, r.sent) for r in requests] == [
        (200, None, 11 << 20),
        (206, f"bytes={10 << 20}-", 12 << 20),
    ]


def test_a_range_may_be_ignored(full: str, server: HubServer) -> None:
    server.faults.add("resolve-get", "ignore-range")
    answers = [get(server, full, Range="bytes=1-2") for _ in range(2)]
    assert [(a.status_code, a.content) for a in answers] == [(200, b"text"), (206, b"ex")]


def test_a_reset_in_the_middle_of_a_body(full: str, server: HubServer) -> None:
    server.faults.add("cdn-get", "reset-body")
    with pytest.raises(httpx.TransportError):
        get(server, full, "w.bin")


def test_a_flipped_bit_goes_unnoticed_by_the_client(
    api: HfApi, full: str, server: HubServer, cache: Path
) -> None:
    server.faults.add("cdn-get", "corrupt-body")
    content = Path(api.hf_hub_download(full, "w.bin", cache_dir=cache)).read_bytes()
    flipped = [a ^ b for a, b in zip(content, WEIGHTS, strict=True) if a != b]
    assert flipped == [1]
    assert [mismatch["path"] for mismatch in _mismatches(api, full, cache)] == ["w.bin"]


def _mismatches(api: HfApi, repo: str, cache: Path) -> list[Any]:
    return list(api.verify_repo_checksums(repo, cache_dir=cache).mismatches)


def test_a_slow_body_arrives_whole(full: str, server: HubServer) -> None:
    server.faults.add("resolve-get", "slow-body", delay=0.05)
    assert get(server, full).content == b"text"


@pytest.mark.slow
def test_the_client_waits_as_long_as_it_is_told(api: HfApi, full: str, server: HubServer) -> None:
    server.faults.add("preupload", "429", retry_after=0)
    start = time.monotonic()
    api.upload_file(path_or_fileobj=b"y", path_in_repo="b", repo_id=full)
    assert 1 <= time.monotonic() - start < 3


@pytest.mark.slow
def test_a_slow_body_takes_its_time(full: str, server: HubServer) -> None:
    server.faults.add("resolve-get", "slow-body", delay=0.05)
    start = time.monotonic()
    assert get(server, full).content == b"text"
    assert time.monotonic() - start >= 0.2


def test_a_slow_body_runs_into_the_clients_timeout(full: str, server: HubServer) -> None:
    server.faults.add("resolve-get", "slow-body", delay=0.5)
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{server.endpoint}/{full}/resolve/main/a.txt", timeout=0.1)


def test_a_part_without_etag_is_an_error(api: HfApi, repo: str, server: HubServer) -> None:
    server.dials.multipart_over = server.dials.part_size = 100_000
    server.faults.add("lfs-put", "no-etag", skip=1)
    with pytest.raises(RuntimeError) as error:
        api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="w.bin", repo_id=repo)
    assert "Invalid etag" in str(error.value.__cause__)


def test_damage_on_the_way_in_is_refused(repo: str, server: HubServer) -> None:
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    answer = httpx.post(
        f"{server.endpoint}/{repo}.git/info/lfs/objects/batch",
        json={"operation": "upload", "objects": [{"oid": sha256, "size": len(WEIGHTS)}]},
        headers={"Authorization": f"Bearer {server.token()}"},
    )
    href = answer.json()["objects"][0]["actions"]["upload"]["href"]
    assert httpx.put(href, content=WEIGHTS[:-1] + b"!").status_code in {200, 400}
    assert httpx.put(href, content=WEIGHTS[1:]).status_code == 400
    assert httpx.put(href, content=WEIGHTS).status_code == 200


def push(api: HfApi, repo: str, content: bytes = b"---\nlicense: mit\n---\n") -> None:
    api.upload_file(path_or_fileobj=content, path_in_repo="README.md", repo_id=repo)


def push_weights(api: HfApi, repo: str) -> None:
    api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="w.bin", repo_id=repo)


def stat(api: HfApi, repo: str) -> None:
    api.get_hf_file_metadata(url=f"{api.endpoint}/{repo}/resolve/main/.gitattributes")


REQUESTS: dict[str, Callable[[HfApi, str], object]] = {
    "whoami": lambda api, repo: api.whoami(),
    "validate-yaml": push,
    "create": lambda api, repo: api.create_repo(f"{repo}-2"),
    "delete": lambda api, repo: api.delete_repo(repo),
    "move": lambda api, repo: api.move_repo(repo, f"{repo}-3"),
    "settings": lambda api, repo: api.update_repo_settings(repo, private=True),
    "auth-check": lambda api, repo: api.auth_check(repo),
    "list": lambda api, repo: list(api.list_models()),
    "info": lambda api, repo: api.model_info(repo),
    "tree": lambda api, repo: api.list_repo_files(repo),
    "paths-info": lambda api, repo: api.get_paths_info(repo, "a"),
    "resolve-head": stat,
    "preupload": push,
    "lfs-batch": push_weights,
    "lfs-put": push_weights,
    "lfs-verify": push_weights,
    "commit": push,
    "commits": lambda api, repo: api.list_repo_commits(repo),
    "super-squash": lambda api, repo: api.super_squash_history(repo),
    "refs": lambda api, repo: api.list_repo_refs(repo),
    "branch": lambda api, repo: api.create_branch(repo, branch="b"),
    "tag": lambda api, repo: api.create_tag(repo, tag="t"),
    "discussions": lambda api, repo: api.create_discussion(repo, "t"),
}


@pytest.mark.parametrize("endpoint", REQUESTS)
def test_every_class_of_endpoint_can_fail(
    api: HfApi, repo: str, server: HubServer, endpoint: str
) -> None:
    fault = server.faults.add(endpoint, FaultKind.PAYMENT_REQUIRED)
    with pytest.raises((HfHubHTTPError, RuntimeError)) as error:
        REQUESTS[endpoint](api, repo)
    assert "402" in str(error.value.__cause__) + str(error.value)
    assert fault.hits == 1
    REQUESTS[endpoint](api, repo)


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("GET", "/api/datasets/a/b/tree/refs%2Fpr%2F1/x", "tree"),
        ("POST", "/datasets/a/b.git/info/lfs/objects/batch", "lfs-batch"),
        ("GET", "/spaces/a/b/resolve/main/api/models", "resolve-get"),
        ("HEAD", "/a/b/resolve/main/x", "resolve-head"),
        ("GET", "/api/models/a/b/revision/main", "info"),
        ("GET", "/api/models/a/b/commits/main", "commits"),
        ("POST", "/api/models/a/b/commit/main", "commit"),
        ("GET", "/api/spaces/a/b/runtime", "space"),
        ("GET", "/api/agent-harnesses", "other"),
    ],
)
def test_requests_are_classified(method: str, path: str, endpoint: str) -> None:
    assert classify(method, path) == endpoint
