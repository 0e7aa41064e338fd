"""What the table's script asks for: the board, packed once per state, and votes as they are now."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from leaderboard.render.board_json import model_id
from space_app.live_board import LiveBoard
from space_app.votes.vote_rounds import BlindVoting
from space_app.votes.vote_tally import share_words


def board_routes(live: LiveBoard, voting: BlindVoting) -> list[Route]:
    """``/board/data``, ``/board/extra``, ``/board/votes``: gzipped JSON, cached per version."""
    return [
        _route("/board/data", lambda: live.current.lean),
        _route("/board/extra", lambda: live.current.extra),
        _route("/board/votes", lambda: votes_column(voting)),
    ]


def votes_column(voting: BlindVoting) -> bytes:
    """For each model that was voted on, by its id: the share it won and that share in words."""
    column = {
        model_id(key): [tally.rate, share_words(tally)] for key, tally in voting.tallies().items()
    }
    return gzip.compress(json.dumps(column, sort_keys=True).encode(), mtime=0)


def _route(path: str, packed: Callable[[], bytes]) -> Route:
    def answer(request: Request) -> Response:
        body = packed()
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
