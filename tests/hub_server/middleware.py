"""Around every request: route on the raw path, keep the log, make dialled faults happen."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.hub_server.endpoints import Endpoint, classify
from tests.hub_server.faults import Fault, FaultDial, FaultKind
from tests.hub_server.traffic import Request, RequestLog

Message = MutableMapping[str, Any]
_TRANSPORT = "transport"
_PIECES = 4


class DroppableProtocol(H11Protocol):
    """Lets the application reach its connection, to cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        super().connection_made(transport)
        # Head and body are written apart; without this each answer waits 40 ms for an ACK.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


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
        with suppress(ClientDisconnect):
            await self._answer(scope, _Counted(request, receive, send), fault)

    async def _answer(self, scope: Scope, wire: _Counted, fault: Fault | None) -> None:
        if fault is None:
            await self._app(scope, wire.receive, wire.send)
        elif fault.kind.status is not None:
            await _drain(wire.receive)
            await _refusal(fault)(scope, wire.receive, wire.send)
        elif fault.kind is FaultKind.DROP_BEFORE:
            await _cut(scope, wire.receive)
        elif fault.kind is FaultKind.DROP_AFTER:
            await self._app(scope, wire.receive, _nowhere)
            await _cut(scope, wire.receive)
        elif fault.kind is FaultKind.SLOW_BODY:
            await self._app(scope, wire.receive, _slowly(wire.send, fault.delay))
        elif fault.kind is FaultKind.IGNORE_RANGE:
            await self._app(_without_header(scope, b"range"), wire.receive, wire.send)
        elif fault.kind is FaultKind.NO_ETAG:
            await self._app(scope, wire.receive, _without_etag(wire.send))
        elif fault.kind is FaultKind.CORRUPT_BODY:
            await self._app(scope, wire.receive, _corrupting(wire.send))
        else:
            half = _Half(wire.send)
            await self._app(scope, wire.receive, half.send)
            if not half.complete:
                await _cut(scope, wire.receive, reset=fault.kind is FaultKind.RESET_BODY)


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


class _Half:
    """Sends half of the announced body; bodies of under two bytes go out whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._left: int | None = None
        self.complete = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            length = dict(message["headers"]).get(b"content-length", b"0")
            self._left = int(length) // 2
            self.complete = self._left == 0
            await self._send(message)
        elif self.complete:
            await self._send(message)
        elif self._left:
            piece = message.get("body", b"")[: self._left]
            self._left -= len(piece)
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})


def _refusal(fault: Fault) -> JSONResponse:
    status = fault.kind.status
    assert status is not None
    headers = {"X-Error-Message": f"dialled fault {status}"}
    if status in (429, 503):
        headers["Retry-After"] = str(fault.retry_after)
    return JSONResponse({"error": f"dialled fault {status}"}, status_code=status, headers=headers)


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        pass


async def _nowhere(message: Message) -> None:
    """A client that never hears."""


async def _cut(scope: Scope, receive: Receive, *, reset: bool = True) -> None:
    """End the connection, by a reset or after what was sent has arrived."""
    transport = scope["state"][_TRANSPORT]
    if reset:
        linger_off = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger_off
        )
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _without_header(scope: Scope, name: bytes) -> Scope:
    return {**scope, "headers": [item for item in scope["headers"] if item[0] != name]}


def _without_etag(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def bare(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [item for item in message["headers"] if item[0].lower() != b"etag"]
            message = {**message, "headers": kept}
        await send(message)

    return bare


def _slowly(send: Send, delay: float) -> Callable[[Message], Awaitable[None]]:
    async def slow(message: Message) -> None:
        body = message.get("body", b"")
        if not body:
            await send(message)
            return
        size = -(-len(body) // _PIECES)
        for start in range(0, len(body), size):
            await asyncio.sleep(delay)
            last = start + size >= len(body)
            more = message.get("more_body", False) or not last
            piece = body[start : start + size]
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    return slow


def _corrupting(send: Send) -> Callable[[Message], Awaitable[None]]:
    """Flips the lowest bit of the last byte of the body's first chunk."""
    done = False

    async def corrupt(message: Message) -> None:
        nonlocal done
        body = message.get("body", b"")
        if body and not done:
            done = True
            message = {**message, "body": body[:-1] + bytes([body[-1] ^ 1])}
        await send(message)

    return corrupt
