"""One server per test module; every test finds it with default dials and no faults."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants

from tests.hub_server import Dials, HubServer, serve

Read = Callable[..., bytes]


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    assert constants.HF_HUB_DISABLE_XET, "the client must be imported with HF_HUB_DISABLE_XET=1"
    with serve(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture
def server(module_server: HubServer) -> HubServer:
    module_server.faults.clear()
    module_server.requests.clear()
    for field in fields(Dials):
        setattr(module_server.dials, field.name, field.default)
    return module_server


@pytest.fixture
def api(server: HubServer) -> HfApi:
    return HfApi(endpoint=server.endpoint, token=server.token())


@pytest.fixture
def stranger(server: HubServer) -> HfApi:
    """Somebody with an account, but no rights here."""
    return HfApi(endpoint=server.endpoint, token=server.token("stranger"))


@pytest.fixture
def visitor(server: HubServer) -> HfApi:
    """Somebody without an account."""
    return HfApi(endpoint=server.endpoint, token=False)


@pytest.fixture
def repo(api: HfApi, server: HubServer) -> str:
    """A new, empty model repository of the organisation."""
    repo_id = f"mergebot/m-{uuid.uuid4().hex[:12]}"
    api.create_repo(repo_id)
    server.requests.clear()
    return repo_id


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A client cache of this test's own."""
    return tmp_path / "cache"


@pytest.fixture
def read(api: HfApi, cache: Path) -> Read:
    """Downloads a file: `read(repo, path, revision="main")`."""

    def download(repo_id: str, path: str, **options: Any) -> bytes:
        return Path(api.hf_hub_download(repo_id, path, cache_dir=cache, **options)).read_bytes()

    return download
