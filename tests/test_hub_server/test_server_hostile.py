"""Whatever is sent, the server answers in the Hub's form and stays up."""

from __future__ import annotations

import json
from typing import Any

import httpx2 as httpx
import pytest
from huggingface_hub import HfApi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hub_server import HubServer

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


def ask(server: HubServer, method: str, path: str, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.token()}"}
    return httpx.request(method, f"{server.endpoint}{path}", headers=headers, **options)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/repos/create"),
        ("POST", "/api/validate-yaml"),
        ("POST", "/api/models/{repo}/preupload/main"),
        ("POST", "/{repo}.git/info/lfs/objects/batch"),
        ("POST", "/api/models/{repo}/tag/main"),
        ("POST", "/api/models/{repo}/discussions"),
        ("PUT", "/api/models/{repo}/settings"),
        ("POST", "/api/models/{repo}/lfs-files/duplicate"),
    ],
)
@given(body=json_values)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_json_is_answered(
    server: HubServer, repo: str, method: str, path: str, body: object
) -> None:
    answer = ask(server, method, path.format(repo=repo), json=body)
    assert answer.status_code < 500


@pytest.mark.parametrize(
    "header",
    [
        {"x": 1},
        {"x": {"dtype": "F32", "shape": ["a"]}},
        {"x": {"dtype": "F32", "shape": [-1]}},
        ["a"],
        {"__metadata__": {"format": "pt"}},
    ],
)
def test_odd_safetensors_headers_count_nothing(api: HfApi, repo: str, header: object) -> None:
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text
    api.upload_file(path_or_fileobj=content, path_in_repo="model.safetensors", repo_id=repo)
    assert api.model_info(repo).safetensors is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/models/{repo}/tree/main?cursor=%00", 400),
        ("/api/models/{repo}/discussions?p=x", 400),
        ("/api/models/{repo}/discussions/x", 400),
        ("/api/models?limit=0", 400),
        ("/api/models/{repo}/tree/%2e%2e", 404),
        ("/{repo}/resolve/main/..%2f..%2fsigning.key", 404),
        ("/nowhere", 404),
        ("/api/nowhere", 404),
    ],
)
def test_odd_urls(server: HubServer, repo: str, path: str, status: int) -> None:
    assert ask(server, "GET", path.format(repo=repo)).status_code == status
