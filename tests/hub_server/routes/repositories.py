"""Making, renaming, configuring and deleting repositories."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from tests.hub_server import errors
from tests.hub_server.accounts import Identity
from tests.hub_server.hub import Hub
from tests.hub_server.names import RepoName, RepoType
from tests.hub_server.routes.dependencies import AtCommit, Readable, TheHub, User, Writable
from tests.hub_server.storage.history import MAIN
from tests.hub_server.storage.repositories import Repo
from tests.hub_server.upload_rules import default_gitattributes

router = APIRouter()


class RepoToName(BaseModel):
    name: str
    organization: str | None = None
    type: RepoType | None = None

    def full_name(self, user: Identity) -> RepoName:
        namespace = self.organization or user.user
        return RepoName.parse(self.type or RepoType.MODEL, f"{namespace}/{self.name}")


class KeyValue(BaseModel):
    key: str
    value: str
    description: str | None = None


class RepoToCreate(RepoToName):
    visibility: Literal["public", "private", "protected"] = "public"
    private: bool = False
    sdk: str | None = None
    secrets: list[KeyValue] = []
    variables: list[KeyValue] = []


@router.post("/api/repos/create")
def create(hub: TheHub, user: User, body: RepoToCreate) -> dict[str, str]:
    name = body.full_name(user)
    _check_may_create(hub, user, name)
    if hub.dials.free_plan and name.type is RepoType.SPACE and body.sdk != "static":
        raise errors.HubError(
            402, "Creating Gradio and Docker Spaces needs a paid plan. Static Spaces are free."
        )
    visibility = "private" if body.private else body.visibility
    with hub.database.transaction():
        repo = hub.repositories.create(name, visibility=visibility, sdk=body.sdk)
        if repo is None:
            url = f"{hub.endpoint}/{name.url_path}"
            raise errors.conflict(f"You already created this {name.type} repo", url=url)
        _first_commit(hub, repo, user)
        for shelf, values in (("secrets", body.secrets), ("variables", body.variables)):
            for item in values:
                hub.spaces.put(repo, shelf, item.key, item.value, item.description)
    return {"url": hub.url(repo), "name": name.id, "id": f"{repo.key:024x}"}


class Duplication(BaseModel):
    repository: str
    private: bool = False
    visibility: Literal["public", "private", "protected"] = "public"


@router.post("/api/{kind}/{namespace}/{name}/duplicate")
def duplicate(
    hub: TheHub, source: Readable, head: AtCommit, user: User, body: Duplication
) -> dict[str, object]:
    """A new repository with the files, not the history, of main."""
    hub.check_file_access(source, user)
    name = RepoName.parse(source.name.type, body.repository)
    _check_may_create(hub, user, name)
    visibility = "private" if body.private else body.visibility
    with hub.database.transaction():
        repo = hub.repositories.create(name, visibility=visibility, sdk=source.sdk)
        if repo is None:
            raise errors.conflict(f"{name.id} exists", url=f"{hub.endpoint}/{name.url_path}")
        tree = hub.history.tree(head)
        for entry in tree.values():
            if entry.lfs:
                hub.repositories.own_object(repo.key, entry.sha256, entry.size)
        title = f"Duplicate from {source.name.id}"
        hub.history.record(
            repo, tree, ref=MAIN, parent=None, title=title, message="", author=user.user
        )
    return {"url": hub.url(repo), "filesCopyPending": False}


@router.delete("/api/repos/delete")
def delete(hub: TheHub, user: User, body: RepoToName) -> str:
    repo = hub.writable(body.full_name(user), user)
    hub.repositories.delete(repo)
    return "OK"


class Move(BaseModel):
    fromRepo: str  # noqa: N815  # the wire's spelling
    toRepo: str  # noqa: N815  # the wire's spelling
    type: RepoType = RepoType.MODEL


@router.post("/api/repos/move")
def move(hub: TheHub, user: User, body: Move) -> str:
    repo = hub.writable(RepoName.parse(body.type, body.fromRepo), user)
    target = RepoName.parse(body.type, body.toRepo)
    _check_may_create(hub, user, target)
    if not hub.repositories.move(repo, target):
        raise errors.conflict(f"{target.id} exists already")
    return "OK"


class Settings(BaseModel):
    visibility: Literal["public", "private", "protected"] | None = None
    private: bool | None = None
    gated: Literal["auto", "manual", False] | None = None


@router.put("/api/{kind}/{namespace}/{name}/settings")
def configure(hub: TheHub, repo: Writable, body: Settings) -> dict[str, object]:
    visibility = body.visibility
    if body.private is not None:
        visibility = "private" if body.private else "public"
    gated = None if body.gated is None else body.gated or ""
    hub.repositories.update(repo, visibility=visibility, gated=gated)
    changed = hub.repositories.find(repo.name) or repo
    return {"visibility": changed.visibility, "gated": changed.gated or False}


class AccessGrant(BaseModel):
    user: str
    status: Literal["accepted", "rejected", "pending"] = "accepted"


@router.post("/api/{kind}/{namespace}/{name}/user-access-request/grant")
def grant_access(hub: TheHub, repo: Writable, body: AccessGrant) -> dict[str, str]:
    if not repo.is_gated:
        raise errors.bad_request("This repository is not gated")
    hub.repositories.grant(repo, body.user)
    return {"user": body.user, "status": "accepted"}


@router.post("/api/{kind}/{namespace}/{name}/user-access-request/handle")
def handle_access_request(hub: TheHub, repo: Writable, body: AccessGrant) -> dict[str, str]:
    if body.status == "accepted":
        return grant_access(hub, repo, body)
    hub.repositories.revoke(repo, body.user)
    return {"user": body.user, "status": body.status}


def _check_may_create(hub: Hub, user: Identity, name: RepoName) -> None:
    if not hub.accounts.may_create(user, name):
        raise errors.forbidden(
            f"You don't have the rights to create a {name.type} under the namespace \""
            f'{name.namespace}"'
        )


def _first_commit(hub: Hub, repo: Repo, user: Identity) -> None:
    """Every new repository starts with the file that says what goes to LFS."""
    entry = default_gitattributes(hub.blobs)
    hub.history.record(
        repo,
        {entry.path: entry},
        ref=MAIN,
        parent=None,
        title="initial commit",
        message="",
        author=user.user,
    )
