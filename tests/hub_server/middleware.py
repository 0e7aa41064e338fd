"""Around every request: route on the raw path, keep the log, let dialled faults happen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.hub_server.breaking import TRANSPORT, answer_broken
from tests.hub_server.endpoints import Endpoint, classify
from tests.hub_server.faults import FaultDial
from tests.hub_server.traffic import Request, RequestLog

Message = MutableMapping[str, Any]


class DroppableProtocol(H11Protocol):
    """Lets the application reach its connection, to cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        super().connection_made(transport)
        # Head and body are written apart; without this each answer waits 40 ms for an ACK.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class Observed:
    """ASGI application that logs requests of `app` and breaks them as the dial says."""

    def __init__(self, app: ASGIApp, log: RequestLog, faults: FaultDial) -> None:
        self._app = app
        self._log = log
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["raw_path"].decode("ascii")
        scope = {**scope, "path": path}
        endpoint = classify(scope["method"], path)
        request = self._log.open(endpoint, scope["method"], path, scope["query_string"].decode())
        request.range = dict(scope["headers"]).get(b"range", b"").decode() or None
        fault = None if endpoint is Endpoint.ADMIN else self._faults.take(endpoint, path)
        if fault is not None:
            request.fault = fault.kind
        wire = _Counted(request, receive, send)
        with suppress(ClientDisconnect):
            if fault is None:
                await self._app(scope, wire.receive, wire.send)
            else:
                await answer_broken(self._app, scope, wire.receive, wire.send, fault)


class _Counted:
    """The two directions of a connection, with the bytes of bodies counted."""

    def __init__(self, request: Request, receive: Receive, send: Send) -> None:
        self._request = request
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        self._request.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._request.status = message["status"]
        self._request.sent += len(message.get("body", b""))
        await self._send(message)
