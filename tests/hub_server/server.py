"""Starting and stopping: both origins in one background thread, on ports known in advance."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from tests.hub_server.accounts import Accounts
from tests.hub_server.app import cdn_app, hub_app
from tests.hub_server.dials import Dials
from tests.hub_server.faults import FaultDial
from tests.hub_server.hub import Hub
from tests.hub_server.middleware import DroppableProtocol, Observed
from tests.hub_server.traffic import RequestLog

_START_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class HubServer:
    """A running server, as tests of other parts see it."""

    hub: Hub

    @property
    def endpoint(self) -> str:
        return self.hub.endpoint

    @property
    def cdn(self) -> str:
        return self.hub.cdn

    @property
    def faults(self) -> FaultDial:
        return self.hub.faults

    @property
    def requests(self) -> RequestLog:
        return self.hub.requests

    @property
    def dials(self) -> Dials:
        return self.hub.dials

    def token(self, user: str = "tester", role: str = "write") -> str:
        return self.hub.accounts.token_of(user, role)

    def env(self, home: Path, user: str = "tester") -> dict[str, str]:
        """The variables with which a child process uses this server and nothing else."""
        return client_env(self.endpoint, token=self.token(user), home=home)


def client_env(endpoint: str, *, token: str, home: Path) -> dict[str, str]:
    """What a process must find in its environment before it imports huggingface_hub."""
    return {
        "HF_ENDPOINT": endpoint,
        "HF_TOKEN": token,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


@contextmanager
def serve(
    data: Path,
    *,
    port: int = 0,
    cdn_port: int = 0,
    host: str = "127.0.0.1",
    accounts: Accounts | None = None,
    dials: Dials | None = None,
) -> Iterator[HubServer]:
    """Run the server in a background thread while the block lasts.

    `data` keeps everything: serving the same folder again shows the same repositories. Port 0
    picks a free one. `cdn_port` is the second origin, which stores and serves LFS objects.
    """
    with (
        socket.create_server((host, port)) as front,
        socket.create_server((host, cdn_port)) as back,
    ):
        hub = Hub(
            data=data,
            endpoint=f"http://{host}:{front.getsockname()[1]}",
            cdn=f"http://{host}:{back.getsockname()[1]}",
            accounts=accounts or Accounts.default(),
            dials=dials or Dials(),
        )
        servers = [_uvicorn(hub_app(hub)), _uvicorn(cdn_app(hub))]
        thread = threading.Thread(target=_run, args=(servers, [front, back]), daemon=True)
        thread.start()
        try:
            _wait_until_started(servers, thread)
            yield HubServer(hub=hub)
        finally:
            for server in servers:
                server.should_exit = True
                server.force_exit = True
            thread.join()
            hub.close()


def _uvicorn(app: Observed) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=DroppableProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)


def _run(servers: list[uvicorn.Server], sockets: list[socket.socket]) -> None:
    async def both() -> None:
        await asyncio.gather(
            *(server.serve([at]) for server, at in zip(servers, sockets, strict=True))
        )

    asyncio.run(both())


def _wait_until_started(servers: list[uvicorn.Server], thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not all(server.started for server in servers):
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("The Hub server did not start")
        time.sleep(0.01)
