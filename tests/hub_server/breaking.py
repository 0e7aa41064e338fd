"""How each kind of fault breaks an exchange."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.hub_server.faults import Fault, FaultKind

TRANSPORT = "transport"  # where the connection is found in a request's state
Message = MutableMapping[str, Any]
_PIECES = 4


async def answer_broken(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, fault: Fault
) -> None:
    """Let `app` answer, or not, so that the client suffers the fault."""
    kind = fault.kind
    if kind.status is not None:
        await _drain(receive)
        await _refusal(fault)(scope, receive, send)
    elif kind is FaultKind.DROP_BEFORE:
        await _cut(scope, receive)
    elif kind is FaultKind.DROP_AFTER:
        await app(scope, receive, _nowhere)
        await _cut(scope, receive)
    elif kind is FaultKind.IGNORE_RANGE:
        await app(_without_header(scope, b"range"), receive, send)
    elif kind in {FaultKind.SHORT_BODY, FaultKind.RESET_BODY}:
        half = _Half(send)
        await app(scope, receive, half.send)
        if not half.complete:
            await _cut(scope, receive, reset=kind is FaultKind.RESET_BODY)
    else:
        await app(scope, receive, _CHANGED[kind](send, fault))


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
    transport = scope["state"][TRANSPORT]
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


def _without_etag(send: Send, _: Fault) -> Send:
    async def bare(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [item for item in message["headers"] if item[0].lower() != b"etag"]
            message = {**message, "headers": kept}
        await send(message)

    return bare


def _slowly(send: Send, fault: Fault) -> Send:
    async def slow(message: Message) -> None:
        body = message.get("body", b"")
        if not body:
            await send(message)
            return
        size = -(-len(body) // _PIECES)
        for start in range(0, len(body), size):
            await asyncio.sleep(fault.delay)
            last = start + size >= len(body)
            more = message.get("more_body", False) or not last
            piece = body[start : start + size]
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    return slow


def _corrupting(send: Send, _: Fault) -> Send:
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


_CHANGED: dict[FaultKind, Callable[[Send, Fault], Send]] = {
    FaultKind.SLOW_BODY: _slowly,
    FaultKind.CORRUPT_BODY: _corrupting,
    FaultKind.NO_ETAG: _without_etag,
}
