"""The data that the table's script asks for, packed once per state of the board."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from space_app.live_board import LiveBoard, Snapshot


def board_routes(live: LiveBoard) -> list[Route]:
    """``/board/data`` and ``/board/extra``: gzipped JSON, cached by the browser per version."""
    return [
        _route("/board/data", live, lambda snapshot: snapshot.lean),
        _route("/board/extra", live, lambda snapshot: snapshot.extra),
    ]


def _route(path: str, live: LiveBoard, packed: Callable[[Snapshot], bytes]) -> Route:
    def answer(request: Request) -> Response:
        body = packed(live.current)
        headers = {
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"',
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
        return Response(body, headers=headers, media_type="application/json")

    return Route(path, answer)
