"""The LFS protocol: batch instructions, one PUT or many parts, completion, verification."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from tests.hub_server import errors
from tests.hub_server.hub import Hub
from tests.hub_server.names import RepoName, RepoType
from tests.hub_server.routes.dependencies import Caller, TheHub, User
from tests.hub_server.storage.blobs import file_chunks
from tests.hub_server.storage.repositories import Repo

hub_router = APIRouter()
cdn_router = APIRouter()
_LFS_JSON = "application/vnd.git-lfs+json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


async def _git_url_repo(request: Request, hub: TheHub, caller: Caller) -> Repo:
    """The repository of a `/{prefix}{namespace}/{name}.git/...` URL; the caller is logged in."""
    parts = str(request.path_params["repo"]).split("/")
    kind = RepoType.MODEL if len(parts) == 2 else RepoType.of_plural(parts[0])
    if kind is None or len(parts) > 3:
        raise errors.repo_not_found()
    repo = hub.readable(RepoName.parse(kind, "/".join(parts[-2:])), caller)
    if caller is None:
        raise errors.login_required()
    return repo


GitUrlRepo = Annotated[Repo, Depends(_git_url_repo)]


class LfsObject(BaseModel):
    oid: str
    size: int


class LfsRef(BaseModel):
    name: str


class LfsBatch(BaseModel):
    operation: str
    objects: list[LfsObject] = Field(max_length=256)
    ref: LfsRef | None = None


@hub_router.post("/{repo:path}.git/info/lfs/objects/batch")
def batch(hub: TheHub, repo: GitUrlRepo, user: User, body: LfsBatch) -> JSONResponse:
    if body.operation != "upload":
        raise errors.bad_request("Only uploads go through the LFS batch API")
    # Without a ref the upload is for a new pull request, which readers may open.
    if body.ref is not None:
        hub.check_push(repo, user, body.ref.name)
    answers = [_instructions(hub, repo, wanted) for wanted in body.objects]
    return JSONResponse({"transfer": "basic", "objects": answers}, media_type=_LFS_JSON)


def _instructions(hub: Hub, repo: Repo, wanted: LfsObject) -> dict[str, object]:
    answer: dict[str, object] = {"oid": wanted.oid, "size": wanted.size}
    if not _SHA256.fullmatch(wanted.oid):
        answer["error"] = {"code": 422, "message": "oid is not a sha256"}
        return answer
    if hub.repositories.object_size(repo, wanted.oid) is not None:
        return answer
    answer["actions"] = {
        "upload": _upload_action(hub, repo, wanted),
        "verify": {"href": f"{hub.url(repo)}.git/info/lfs/verify"},
    }
    return answer


def _upload_action(hub: Hub, repo: Repo, wanted: LfsObject) -> dict[str, object]:
    """One PUT for small objects and for those that are only hashed, parts for the others."""
    discarded = hub.dials.discard_over is not None and wanted.size > hub.dials.discard_over
    if wanted.size <= hub.dials.multipart_over or discarded:
        return {"href": _part_url(hub, repo, wanted, 0)}
    count = -(-wanted.size // hub.dials.part_size)
    parts = {f"{n:05d}": _part_url(hub, repo, wanted, n) for n in range(1, count + 1)}
    signature = hub.sign("complete", repo.key, wanted.oid, wanted.size)
    return {
        "href": f"{hub.url(repo)}.git/info/lfs/complete/{repo.key}/{wanted.oid}/{wanted.size}"
        f"?signature={signature}",
        "header": {"chunk_size": str(hub.dials.part_size), **parts},
    }


def _part_url(hub: Hub, repo: Repo, wanted: LfsObject, number: int) -> str:
    """Where to PUT part `number` (from 1), or the whole object (0); the URL is the key."""
    signature = hub.sign("put", repo.key, wanted.oid, wanted.size, number)
    return f"{hub.cdn}/upload/{repo.key}/{wanted.oid}/{wanted.size}/{number}?signature={signature}"


@cdn_router.put("/upload/{key}/{oid}/{size}/{number}")
async def put(
    hub: TheHub, request: Request, key: int, oid: str, size: int, number: int, signature: str
) -> Response:
    hub.check_signature(signature, "put", key, oid, size, number)
    keep = hub.dials.discard_over is None or size <= hub.dials.discard_over
    with hub.blobs.writer(keep=keep) as writer:
        async for chunk in request.stream():
            writer.write(chunk)
        if number:
            writer.keep_as(hub.blobs.part(f"{key}-{oid}", number))
        else:
            _check_content(oid, size, writer.sha256, writer.size)
            await run_in_threadpool(writer.keep_as, hub.blobs.path(oid))
            hub.repositories.own_object(key, oid, size)
    return Response(headers={"ETag": f'"{writer.sha256}"'})


class Part(BaseModel):
    partNumber: int  # noqa: N815  # the wire's spelling
    etag: str


class Completion(BaseModel):
    oid: str
    parts: list[Part]


@hub_router.post("/{repo:path}.git/info/lfs/complete/{key}/{oid}/{size}")
def complete(
    hub: TheHub, key: int, oid: str, size: int, signature: str, body: Completion
) -> dict[str, bool]:
    """Join the parts; repeating a completed upload is allowed, its answer may have been lost."""
    hub.check_signature(signature, "complete", key, oid, size)
    if hub.blobs.size(oid) == size:
        hub.repositories.own_object(key, oid, size)
        return {"success": True}
    paths = [hub.blobs.part(f"{key}-{oid}", part.partNumber) for part in body.parts]
    with hub.blobs.writer() as writer:
        for part, path in zip(body.parts, paths, strict=True):
            etag = hashlib.sha256()
            if not path.is_file():
                raise errors.bad_request(f"Part {part.partNumber} was not uploaded")
            for chunk in file_chunks(path, 0, path.stat().st_size):
                writer.write(chunk)
                etag.update(chunk)
            if part.etag.strip('"') != etag.hexdigest():
                raise errors.bad_request(f"Part {part.partNumber} has another ETag")
        _check_content(oid, size, writer.sha256, writer.size)
        writer.keep_as(hub.blobs.path(oid))
    hub.repositories.own_object(key, oid, size)
    for path in paths:
        path.unlink()
    return {"success": True}


@hub_router.post("/{repo:path}.git/info/lfs/verify")
def verify(hub: TheHub, repo: GitUrlRepo, body: LfsObject) -> dict[str, bool]:
    if hub.repositories.object_size(repo, body.oid) != body.size:
        raise errors.HubError(404, f"LFS object {body.oid} of {body.size} bytes is not stored")
    return {"success": True}


def _check_content(oid: str, size: int, sha256: str, received: int) -> None:
    if (oid, size) != (sha256, received):
        raise errors.bad_request(
            f"Uploaded content does not match: {received} bytes with sha256 {sha256}"
        )
