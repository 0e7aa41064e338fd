"""Reading files: small ones from the Hub itself, LFS objects from the second origin."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from tests.hub_server import errors
from tests.hub_server.hub import Hub
from tests.hub_server.routes.dependencies import AtCommit, Caller, PathInRepo, Readable, TheHub

hub_router = APIRouter()
cdn_router = APIRouter()
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@hub_router.api_route("/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
@hub_router.api_route(
    "/{kind}/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"]
)
def resolve(
    hub: TheHub,
    repo: Readable,
    caller: Caller,
    commit: AtCommit,
    path: PathInRepo,
    request: Request,
) -> Response:
    hub.check_file_access(repo, caller)
    entry = hub.history.tree(commit).get(path)
    if entry is None:
        raise errors.entry_not_found(commit=commit.oid)
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{entry.oid}"'}
    if not entry.lfs:
        return _content(hub, request, entry.sha256, entry.size, headers)
    signature = hub.sign("get", entry.sha256, entry.size)
    headers |= {
        "X-Linked-Etag": f'"{entry.sha256}"',
        "X-Linked-Size": str(entry.size),
        "Location": f"{hub.cdn}/content/{entry.sha256}/{entry.size}?signature={signature}",
    }
    return Response(status_code=302, headers=headers)


@cdn_router.api_route("/content/{sha256}/{size}", methods=["GET", "HEAD"])
def content(hub: TheHub, request: Request, sha256: str, size: int, signature: str) -> Response:
    hub.check_signature(signature, "get", sha256, size)
    return _content(hub, request, sha256, size, {"ETag": f'"{sha256}"'})


def _content(
    hub: Hub, request: Request, sha256: str, size: int, headers: dict[str, str]
) -> Response:
    """The whole blob, the range that was asked for, or only the headers."""
    if not hub.blobs.has(sha256):
        raise errors.HubError(410, "This object was larger than --discard-over: only hashed")
    headers = {**headers, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    start, stop, status = 0, size, 200
    wanted = request.headers.get("range")
    if wanted is not None:
        start, stop = _parse_range(wanted, size)
        status = 206
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    chunks = hub.blobs.chunks(sha256, start, stop)
    return StreamingResponse(chunks, status_code=status, headers=headers)


def _parse_range(text: str, size: int) -> tuple[int, int]:
    """`bytes=a-b`, `bytes=a-` or `bytes=-n` as a half-open interval; HubError 416 outside."""
    match = _RANGE.fullmatch(text)
    start, stop = size, size
    if match is not None and match[1]:
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
    elif match is not None and match[2]:
        start = max(size - int(match[2]), 0)
    if start >= stop:
        headers = {"Content-Range": f"bytes */{size}"}
        raise errors.HubError(416, "Requested range not satisfiable", headers=headers)
    return start, stop
