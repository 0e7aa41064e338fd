"""The server in a process of its own, for tests that measure or kill their own process."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hub_server.endpoints import Endpoint
from tests.hub_server.faults import FaultKind

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class SpawnedServer:
    """Talks to the admin routes of a server in another process."""

    process: subprocess.Popen[str]
    env: dict[str, str]

    @property
    def endpoint(self) -> str:
        return self.env["HF_ENDPOINT"]

    @property
    def token(self) -> str:
        return self.env["HF_TOKEN"]

    def add_fault(
        self, endpoint: Endpoint | str, kind: FaultKind | str, **options: object
    ) -> dict[str, Any]:
        """As `FaultDial.add`."""
        fault = {"endpoint": str(endpoint), "kind": str(kind), **options}
        answer: dict[str, Any] = self._admin("POST", "faults", fault)
        return answer

    def clear_faults(self) -> None:
        self._admin("DELETE", "faults")

    def hits(self) -> int:
        """How many requests the dialled faults have hit."""
        faults: list[dict[str, Any]] = self._admin("GET", "faults")
        return sum(int(fault["hits"]) for fault in faults)

    def requests(self) -> list[dict[str, Any]]:
        """As `RequestLog.all`, each request as a mapping."""
        answer: list[dict[str, Any]] = self._admin("GET", "requests")
        return answer

    def clear_requests(self) -> None:
        self._admin("DELETE", "requests")

    def set_dials(self, **values: object) -> None:
        self._admin("PATCH", "dials", values)

    def _admin(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.endpoint}/_admin/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def spawn(data: Path, *arguments: str) -> Iterator[SpawnedServer]:
    """Run `python -m tests.hub_server` on a free port while the block lasts.

    `arguments` are further command line options, for example `"--discard-over", "1000000"`.
    """
    command = [sys.executable, "-m", "tests.hub_server", "--data", str(data), "--port", "0"]
    with subprocess.Popen(
        [*command, *arguments], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield SpawnedServer(process=process, env=_printed_env(process))
        finally:
            process.terminate()


def _printed_env(process: subprocess.Popen[str]) -> dict[str, str]:
    """The variables of the `export` lines that the server prints once it listens."""
    env: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            env[name] = value
        if "HF_HUB_DISABLE_PROGRESS_BARS" in env:
            return env
    raise RuntimeError("The Hub server ended before it listened")
