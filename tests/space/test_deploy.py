from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bot.errors import AccessError, HubError, MergebotError, PublishError, UsageError
from leaderboard.record_store import FolderStore
from space_app.deploy import Deployment, deploy, requirements, space_files, write_folder
from tests.hub_server import Endpoint, serve
from tests.space.boards import records

DEPLOYMENT = Deployment(
    variables={"MERGEBOT_BOARD": "tester/results"}, examples={"skills": ("sort cabd=",)}
)


def test_the_folder_holds_what_it_needs_and_nothing_else_of_bot() -> None:
    files = space_files(DEPLOYMENT)
    parts = {"/".join(path.split("/")[:2]) for path in files if path.startswith("bot/")}
    assert parts == {"bot/__init__.py", "bot/errors.py", "bot/isolation", "bot/recipe"}
    assert {"app.py", "README.md", "requirements.txt", "leaderboard/static/board.js"} <= set(files)
    assert files == space_files(DEPLOYMENT)


def test_the_front_matter_is_what_the_hub_reads() -> None:
    text = space_files(DEPLOYMENT)["README.md"].decode()
    facts = yaml.safe_load(text.split("---")[1])
    assert facts["sdk"] == "gradio"
    assert facts["app_file"] == "app.py"
    assert facts["python_version"] == "3.12"
    assert facts["suggested_hardware"] == "zero-a10g"
    assert facts["hf_oauth"] is True
    assert len(facts["short_description"]) <= 60


def test_requirements_are_pinned_and_zero_gpu_brings_its_own_torch() -> None:
    zero, cpu = requirements(DEPLOYMENT), requirements(Deployment(hardware="cpu-basic"))
    assert "spaces" in zero
    assert not any(line.startswith("torch==") for line in zero)
    assert any(line.startswith("torch==") for line in cpu)
    assert all("==" in line and "+" not in line for line in cpu)


def test_deploying_creates_then_updates_and_clears_what_is_no_longer_ours(tmp_path: Path) -> None:
    from huggingface_hub import CommitOperationAdd, HfApi

    with serve(tmp_path) as server:
        access: dict[str, Any] = {"endpoint": server.endpoint, "token": server.token()}
        api = HfApi(endpoint=server.endpoint, token=access["token"])
        deployment = replace(DEPLOYMENT, hardware="cpu-upgrade")
        first = deploy("tester/board", deployment, **access)
        assert first.created
        assert "MERGEBOT_SALT" in first.secrets
        present = set(api.list_repo_files("tester/board", repo_type="space"))
        assert set(space_files(deployment)) <= present
        variables = api.get_space_variables("tester/board")
        assert variables["MERGEBOT_BOARD"].value == "tester/results"
        assert "MERGEBOT_SALT" in api.get_space_secrets("tester/board")
        strays = ("leaderboard/gone.py", "notes.md")
        api.create_commit(
            "tester/board", [CommitOperationAdd(path, b"x") for path in strays],
            repo_type="space", commit_message="stray",
        )  # fmt: skip
        second = deploy("tester/board", deployment, **access)
        assert not second.created
        assert second.commit != first.commit
        present = set(api.list_repo_files("tester/board", repo_type="space"))
        assert "leaderboard/gone.py" not in present
        assert "notes.md" in present


def test_a_space_on_zero_gpu_gets_no_secret_and_stores_no_votes(tmp_path: Path) -> None:
    """Untrusted models run in its own process, so there must be nothing in it to steal."""
    from huggingface_hub import HfApi

    with serve(tmp_path) as server:
        token = server.token()
        done = deploy("tester/board", DEPLOYMENT, endpoint=server.endpoint, token=token)
        assert done.secrets == {}
        api = HfApi(endpoint=server.endpoint, token=token)
        assert api.get_space_secrets("tester/board") == {}
        votes = {**DEPLOYMENT.variables, "MERGEBOT_VOTES_DATASET": "tester/votes"}
        with pytest.raises(UsageError, match="ZeroGPU cannot store votes") as refused:
            deploy(
                "tester/other", replace(DEPLOYMENT, variables=votes), endpoint=server.endpoint,
                token=token,
            )  # fmt: skip
        assert "--hardware" in str(refused.value.hint)
        assert not api.repo_exists("tester/other", repo_type="space")


@pytest.mark.parametrize(
    ("fault", "role", "error", "says"),
    [
        ("402", "write", PublishError, "mergebot leaderboard export --html DIR"),
        (None, "read", AccessError, "write access"),
        ("500", "write", HubError, "try again"),
    ],
)
def test_a_refusal_says_what_to_do(
    tmp_path: Path, fault: str | None, role: str, error: type[MergebotError], says: str
) -> None:
    with serve(tmp_path) as server:
        if fault:
            server.faults.add(Endpoint.CREATE, fault, times=None)
        with pytest.raises(error) as raised:
            deploy(
                "tester/board", DEPLOYMENT, endpoint=server.endpoint, token=server.token(role=role)
            )
        assert says in f"{raised.value.message} {raised.value.hint}"


def test_a_hub_out_of_reach_is_named(tmp_path: Path) -> None:
    with pytest.raises(HubError, match="out of reach"):
        deploy("tester/board", DEPLOYMENT, endpoint="http://127.0.0.1:9", token="hf_x")


@pytest.mark.heavy
def test_the_folder_alone_starts_and_serves_the_board_without_torch(tmp_path: Path) -> None:
    board = FolderStore(tmp_path / "board")
    for record in records():
        board.add(record)
    folder = tmp_path / "space"
    write_folder(DEPLOYMENT, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "GRADIO_SERVER_PORT": str(port),
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "GRADIO_ANALYTICS_ENABLED": "False", "MERGEBOT_BOARD": str(board.root),
        "MERGEBOT_CACHE": str(tmp_path / "cache"),
    }  # fmt: skip
    imports = tmp_path / "imports.txt"
    with imports.open("wb") as log:
        # -S leaves out the editable project: its requirements are there, `bot` is not
        command = [sys.executable, "-S", "-X", "importtime", "app.py"]
        process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log)
        try:
            page = _page(f"http://127.0.0.1:{port}/", process)
        finally:
            process.terminate()
            process.wait(20)
    assert page.count("data-id=") >= 5
    loaded = {line.split("|")[-1].strip() for line in imports.read_text("utf-8").splitlines()}
    assert "space_app.build_app" in loaded
    assert not loaded & {"torch", "transformers", "lm_eval"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("bot.")}
    assert rooms == {"errors", "isolation", "recipe"}


def _page(address: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(240):
        if process.poll() is not None:
            raise AssertionError("the Space ended before it answered")
        try:
            return httpx.get(address, timeout=20).text
        except httpx.TransportError:
            time.sleep(0.25)
    raise AssertionError("the Space did not start within a minute")
