"""Big bundles, and every single request of a journey failing once: run by make test-slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from bot.events import silent
from bot.hub.publish_model import publish
from bot.hub.upload import Upload
from tests.hub.cells import play
from tests.hub.prepared import hub_at, prepare
from tests.hub_server import Endpoint, FaultKind, SpawnedServer, spawn

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SHARD = 3_000_000_000
MOST_GROWTH = 100_000_000
KINDS = (
    FaultKind.UNAVAILABLE, FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.CORRUPT_BODY,
)  # fmt: skip
MOST_REQUESTS = 400
PUBLISHER = """
import json, sys, threading
from pathlib import Path
from bot.events import silent
from bot.hub.upload import Bundle
from bot.hub.publish_model import publish
from tests.hub.prepared import hub_at

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

endpoint, token, cache, shard = sys.argv[1:]
hub = hub_at(endpoint, token, Path(cache))
small = Bundle(name="small", run_key="small", merge_key="small", files={"a.safetensors": bytes(9)})
publish(hub, small, "mergebot/small", silent)
before, peak, done = anonymous(), 0, threading.Event()

def watch():
    global peak
    while not done.wait(0.02):
        peak = max(peak, anonymous())

watcher = threading.Thread(target=watch)
watcher.start()
files = {"model.safetensors": Path(shard), "README.md": b"---\\nlicense: mit\\n---\\n"}
large = Bundle(name="large", run_key="large", merge_key="large", files=files)
publish(hub, large, "mergebot/large", silent)
done.set()
watcher.join()
print(json.dumps({"before": before, "peak": peak}))
"""


def test_six_hundred_files_are_one_commit(tmp_path: Path) -> None:
    with spawn(tmp_path / "server") as server:
        hub = hub_at(server.endpoint, server.token, tmp_path / "cache")
        weights = {f"model-{n:05}.safetensors": n.to_bytes(64, "big") for n in range(300)}
        texts = {f"notes/{n:05}.txt": str(n).encode() for n in range(300)}
        bundle = Upload(name="many", run_key="many", merge_key="many", files=weights | texts)
        publish(hub, bundle, "mergebot/many", silent)
        api = HfApi(endpoint=server.endpoint, token=server.token)
        assert len(api.list_repo_files("mergebot/many")) == 601
        assert len(api.list_repo_commits("mergebot/many")) == 2


def test_a_shard_of_three_gigabytes_needs_no_memory(tmp_path: Path) -> None:
    shard = tmp_path / "model.safetensors"
    with shard.open("wb") as file:
        file.truncate(SHARD)
    with spawn(tmp_path / "server", "--discard-over", "1000000") as server:
        done = subprocess.run(
            [sys.executable, "-c", PUBLISHER, server.endpoint, server.token,
             str(tmp_path / "cache"), str(shard)],
            cwd=ROOT, env={**os.environ, **server.env}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        memory = json.loads(done.stdout)
        print("anonymous memory", memory)
        assert memory["peak"] - memory["before"] < MOST_GROWTH
        api = HfApi(endpoint=server.endpoint, token=server.token)
        info = api.model_info("mergebot/large", files_metadata=True)
        sizes = {file.rfilename: file.size for file in info.siblings or []}
        assert sizes["model.safetensors"] == SHARD
        assert len(api.list_repo_commits("mergebot/large")) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_single_request_may_fail_once(kind: FaultKind, tmp_path: Path) -> None:
    """The n-th request of the journey fails, for every n until the journey has no n-th request."""
    with spawn(tmp_path / "server") as server:
        hub = hub_at(server.endpoint, server.token, tmp_path / "cache")
        made = prepare(hub, tmp_path / "made")
        for number in range(MOST_REQUESTS):
            found = play(
                made, server.endpoint, server.token, tmp_path / f"turn-{number}",
                f"turn-{number}", _arming(server, kind, number),
            )  # fmt: skip
            if not found.hits:
                assert number > 30, "a journey is longer than that"
                return
            assert found.surprise is None, number
            assert found.second is None, number
            assert found.problems == [], number
    raise AssertionError(f"a journey of more than {MOST_REQUESTS} requests")


def _arming(server: SpawnedServer, kind: FaultKind, number: int) -> Callable[[], Callable[[], int]]:
    def arm() -> Callable[[], int]:
        server.add_fault(Endpoint.ANY, kind, skip=number)

        def disarm() -> int:
            hits = server.hits()
            server.clear_faults()
            return hits

        return disarm

    return arm
