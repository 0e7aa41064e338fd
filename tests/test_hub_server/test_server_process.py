"""The server as a process: one command, durable, frugal with memory and disk."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub._oidc import exchange_oidc_token
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile

from tests.hub_server import Accounts, Identity, SpawnedServer, client_env, serve, spawn
from tests.present import present

MIB = 1 << 20


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    weights = os.urandom(100_000)
    with serve(tmp_path / "data") as server:
        api = HfApi(endpoint=server.endpoint, token=server.token())
        api.create_repo("mergebot/m", private=True)
        operations = [CommitOperationAdd("w.bin", weights), CommitOperationAdd("a", b"x")]
        head = api.create_commit("mergebot/m", operations, commit_message="add").oid
        api.create_tag("mergebot/m", tag="v1")
        api.create_discussion("mergebot/m", "Question")
    with serve(tmp_path / "data") as server:
        api = HfApi(endpoint=server.endpoint, token=server.token())
        assert api.model_info("mergebot/m", revision="v1").sha == head
        assert api.model_info("mergebot/m").private
        assert [thread.title for thread in api.get_repo_discussions("mergebot/m")] == ["Question"]
        path = api.hf_hub_download("mergebot/m", "w.bin", cache_dir=tmp_path / "cache")
        assert Path(path).read_bytes() == weights


def test_a_killed_server_has_whole_commits_only(tmp_path: Path) -> None:
    acknowledged = 0
    with spawn(tmp_path / "data") as server:
        HfApi(endpoint=server.endpoint, token=server.token).create_repo("tester/m")
        killer = threading.Timer(0.4, server.process.kill)
        killer.start()
        with suppress(httpx.TransportError):
            while True:
                _commit_pair(server, acknowledged)
                acknowledged += 1
        killer.join()
    with serve(tmp_path / "data") as server:
        api = HfApi(endpoint=server.endpoint, token=server.token())
        folder = Path(api.snapshot_download("tester/m", cache_dir=tmp_path / "cache"))
        lefts = {path.stem: path.read_text() for path in folder.glob("*.left")}
        assert lefts == {path.stem: path.read_text() for path in folder.glob("*.right")}
        assert all(number == text for number, text in lefts.items())
        assert acknowledged <= len(lefts) <= acknowledged + 1
        assert acknowledged > 0


def _commit_pair(server: SpawnedServer, number: int) -> None:
    """Without the client's retries."""
    lines = [{"key": "header", "value": {"summary": str(number)}}]
    for side in ("left", "right"):
        value = {"path": f"{number}.{side}", "content": str(number), "encoding": "utf-8"}
        lines.append({"key": "file", "value": value})
    answer = httpx.post(
        f"{server.endpoint}/api/models/tester/m/commit/main",
        content="\n".join(map(json.dumps, lines)),
        headers={"Authorization": f"Bearer {server.token}"},
    )
    assert answer.status_code == 200


def test_the_command_serves_the_real_command_line(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.bin").write_bytes(b"\0" * 1000)
    hf = str(Path(sys.executable).with_name("hf"))
    options = ("--token", "ann:hf_ann", "--org", "lab:ann")
    with spawn(tmp_path / "data", *options) as server:
        env = {**os.environ, **server.env, "HF_HOME": str(tmp_path / "home")}

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [hf, *arguments], env=env, check=True, capture_output=True, text=True, timeout=600
            )
            return done.stdout

        run("upload", "lab/m", str(tmp_path / "model"))
        run("download", "lab/m", "--local-dir", str(tmp_path / "down"))
        assert (tmp_path / "down" / "a.bin").read_bytes() == b"\0" * 1000
        assert "commit" in [request["endpoint"] for request in server.requests()]


def test_the_admin_routes_dial_faults_and_settings(tmp_path: Path) -> None:
    with spawn(tmp_path / "data", "--page-size", "1") as server:
        api = HfApi(endpoint=server.endpoint, token=server.token)
        server.add_fault("create", "402", times=1)
        with pytest.raises(HfHubHTTPError) as error:
            api.create_repo("tester/m")
        assert error.value.response.status_code == 402
        api.create_repo("tester/m")
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id="tester/m")
        server.clear_requests()
        assert len(api.list_repo_files("tester/m")) == 2
        assert [request["endpoint"] for request in server.requests()] == ["tree"] * 2
        server.set_dials(page_size=10)
        assert len(api.list_repo_files("tester/m")) == 2
        assert [request["endpoint"] for request in server.requests()] == ["tree"] * 3


def test_huge_objects_are_hashed_and_forgotten(tmp_path: Path) -> None:
    huge = tmp_path / "huge.safetensors"
    with huge.open("wb") as file:
        file.truncate(64 * MIB)
    with spawn(tmp_path / "data", "--discard-over", str(MIB)) as server:
        api = HfApi(endpoint=server.endpoint, token=server.token)
        api.create_repo("tester/m")
        before = _peak_memory(server.process.pid)
        api.upload_file(path_or_fileobj=huge, path_in_repo=huge.name, repo_id="tester/m")
        assert _peak_memory(server.process.pid) - before < 20 * MIB
        entry = api.get_paths_info("tester/m", huge.name)[0]
        assert isinstance(entry, RepoFile)
        with huge.open("rb") as file:
            assert present(entry.lfs).sha256 == hashlib.file_digest(file, "sha256").hexdigest()
        assert entry.size == 64 * MIB
        with pytest.raises(HfHubHTTPError) as error:
            api.hf_hub_download("tester/m", huge.name, cache_dir=tmp_path / "cache")
        assert error.value.response.status_code == 410
    stored = sum(path.stat().st_size for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert stored < MIB


def _peak_memory(pid: int) -> int:
    """Peak resident bytes of a process, as Linux keeps them."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def test_a_trusted_job_writes_to_its_repository_only(tmp_path: Path) -> None:
    accounts = replace(Accounts.default(), publishers={"ci-job": "datasets/mergebot/results"})
    with serve(tmp_path / "data", accounts=accounts) as server:
        owner = HfApi(endpoint=server.endpoint, token=server.token())
        for name in ("results", "other"):
            owner.create_repo(f"mergebot/{name}", repo_type="dataset", private=True)
        answer = exchange_oidc_token(
            subject_token="ci-job", resource="datasets/mergebot/results", endpoint=server.endpoint
        )
        job = HfApi(endpoint=server.endpoint, token=answer["access_token"])
        file: dict[str, Any] = {
            "path_or_fileobj": b"x",
            "path_in_repo": "a",
            "repo_type": "dataset",
        }
        job.upload_file(repo_id="mergebot/results", **file)
        for refused in ("mergebot/other", "mergebot/none"):
            with pytest.raises(HfHubHTTPError):
                job.upload_file(repo_id=refused, **file)
        with pytest.raises(HfHubHTTPError):
            job.create_repo("mergebot/new", repo_type="dataset")
        with pytest.raises(HfHubHTTPError):
            exchange_oidc_token(
                subject_token="ci-job", resource="mergebot/other", endpoint=server.endpoint
            )


def test_other_accounts_can_be_handed_in(tmp_path: Path) -> None:
    accounts = Accounts(
        tokens={"hf_bob": Identity(user="bob")}, orgs={"club": {"bob": "read", "eve": "admin"}}
    )
    with serve(tmp_path / "data", accounts=accounts) as server:
        api = HfApi(endpoint=server.endpoint, token=server.token("bob"))
        api.create_repo("bob/m")
        with pytest.raises(HfHubHTTPError):
            api.create_repo("club/m")
        with pytest.raises(KeyError):
            server.token("eve")
        assert server.env(tmp_path, "bob") == client_env(
            server.endpoint, token="hf_bob", home=tmp_path
        )
