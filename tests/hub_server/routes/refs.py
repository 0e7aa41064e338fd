"""Branches, tags and pull request refs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from tests.hub_server import errors
from tests.hub_server.routes.dependencies import AtCommit, Readable, Revision, TheHub, Writable

router = APIRouter()


@router.get("/api/{kind}/{namespace}/{name}/refs")
def refs(hub: TheHub, repo: Readable, request: Request) -> dict[str, list[dict[str, str]]]:
    def listed(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": target}
            for ref, target in hub.history.refs(repo, prefix).items()
        ]

    answer = {"branches": listed("refs/heads/"), "tags": listed("refs/tags/"), "converts": []}
    if "include_prs" in request.query_params:
        answer["pullRequests"] = listed("refs/pr/")
    return answer


class NewBranch(BaseModel):
    startingPoint: str = "main"  # noqa: N815  # the wire's spelling


@router.post("/api/{kind}/{namespace}/{name}/branch/{revision}", status_code=201)
def create_branch(
    hub: TheHub, repo: Writable, revision: Revision, body: NewBranch | None = None
) -> dict[str, str]:
    start = (body or NewBranch()).startingPoint
    ref = f"refs/heads/{revision}"
    with hub.database.transaction():
        commit = hub.history.resolve(repo, start)
        if commit is None:
            raise errors.revision_not_found(start)
        if hub.history.ref(repo, ref) is not None:
            raise errors.conflict(f"Reference already exists: {ref}")
        hub.history.set_ref(repo, ref, commit.oid)
    return {"ref": ref, "targetCommit": commit.oid}


@router.delete("/api/{kind}/{namespace}/{name}/branch/{revision}")
def delete_branch(hub: TheHub, repo: Writable, revision: Revision) -> str:
    if revision == "main":
        raise errors.forbidden("The main branch cannot be deleted")
    if not hub.history.delete_ref(repo, f"refs/heads/{revision}"):
        raise errors.revision_not_found(revision)
    return "OK"


class NewTag(BaseModel):
    tag: str
    message: str = ""


@router.post("/api/{kind}/{namespace}/{name}/tag/{revision}", status_code=201)
def create_tag(hub: TheHub, repo: Writable, commit: AtCommit, body: NewTag) -> dict[str, str]:
    ref = f"refs/tags/{body.tag}"
    with hub.database.transaction():
        if hub.history.ref(repo, ref) is not None:
            raise errors.conflict(f"Tag reference exists already: {ref}")
        hub.history.set_ref(repo, ref, commit.oid)
    return {"ref": ref, "targetCommit": commit.oid}


@router.delete("/api/{kind}/{namespace}/{name}/tag/{revision}")
def delete_tag(hub: TheHub, repo: Writable, revision: Revision) -> str:
    if not hub.history.delete_ref(repo, f"refs/tags/{revision}"):
        raise errors.revision_not_found(revision)
    return "OK"
