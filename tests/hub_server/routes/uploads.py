"""What precedes a commit: which files go to LFS, and LFS objects taken from elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Base64Bytes, BaseModel, Field

from tests.hub_server.names import RepoName, RepoType
from tests.hub_server.routes.dependencies import AtCommit, Readable, Revision, TheHub, User
from tests.hub_server.storage.history import Entry
from tests.hub_server.upload_rules import ignore_patterns, is_ignored, lfs_patterns, upload_mode

router = APIRouter()


class FileToUpload(BaseModel):
    path: str
    size: int
    sample: Base64Bytes = b""


class Preupload(BaseModel):
    files: list[FileToUpload] = Field(max_length=256)
    gitIgnore: str | None = None  # noqa: N815  # the wire's spelling


@router.post("/api/{kind}/{namespace}/{name}/preupload/{revision}")
def preupload(
    hub: TheHub,
    repo: Readable,
    user: User,
    revision: Revision,
    commit: AtCommit,
    request: Request,
    body: Preupload,
) -> dict[str, object]:
    if "create_pr" not in request.query_params:
        hub.check_push(repo, user, revision)
    tree = hub.history.tree(commit)
    patterns = lfs_patterns(hub.blobs, tree)
    ignored = ignore_patterns(hub.blobs, tree, body.gitIgnore)
    answers: list[dict[str, object]] = []
    for file in body.files:
        mode = upload_mode(
            file.path,
            file.size,
            file.sample,
            patterns=patterns,
            regular_limit=hub.dials.regular_limit,
        )
        answer: dict[str, object] = {
            "path": file.path,
            "uploadMode": mode,
            "shouldIgnore": is_ignored(file.path, ignored),
        }
        if file.path in tree:
            answer["oid"] = _current_oid(tree[file.path])
        answers.append(answer)
    return {"files": answers, "commitOid": commit.oid}


def _current_oid(entry: Entry) -> str:
    """What the client compares with its own file: sha256 for LFS, git's sha1 otherwise."""
    return entry.sha256 if entry.lfs else entry.oid


class ObjectToDuplicate(BaseModel):
    sha256: str
    xetHash: str  # noqa: N815  # the wire's spelling
    filename: str


class Target(BaseModel):
    type: RepoType
    name: str


class Duplication(BaseModel):
    target: Target
    files: list[ObjectToDuplicate]


@router.post("/api/{kind}/{namespace}/{name}/lfs-files/duplicate")
def duplicate(hub: TheHub, repo: Readable, user: User, body: Duplication) -> dict[str, object]:
    """Give LFS objects of this repository to another one, without moving a byte."""
    hub.check_file_access(repo, user)
    target = hub.writable(RepoName.parse(body.target.type, body.target.name), user)
    failed = []
    for file in body.files:
        size = hub.repositories.object_size(repo, file.sha256)
        if size is None:
            failed.append({"sha256": file.sha256, "error": "not found in the source repository"})
        else:
            hub.repositories.own_object(target.key, file.sha256, size)
    return {"success": not failed, "failed": failed}
