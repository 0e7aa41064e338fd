"""A planted token in a home folder and a listening socket, for children that must reach neither."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.isolation.hostile import SECRET


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What a hostile child looks for; ``environ`` is the environment of its parent."""

    environ: dict[str, str]
    token: Path
    port: int

    def request(self, outside: Path) -> dict[str, str]:
        return {"port": str(self.port), "token": str(self.token), "outside": str(outside)}


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Planted]:
    token = tmp_path / "user/.cache/huggingface/token"
    token.parent.mkdir(parents=True)
    token.write_text(SECRET)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield Planted(
            environ={**os.environ, "HF_TOKEN": SECRET, "HOME": str(tmp_path / "user")},
            token=token, port=listening.getsockname()[1],
        )  # fmt: skip
