"""Discussions and pull requests: opened, listed, commented, renamed, closed, merged."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, NonNegativeInt

from tests.hub_server import errors
from tests.hub_server.accounts import Identity
from tests.hub_server.hub import Hub
from tests.hub_server.pull_requests import conflicts, diff, merge
from tests.hub_server.routes.dependencies import Readable, TheHub, User, Writable
from tests.hub_server.storage.discussions import Discussion
from tests.hub_server.storage.history import MAIN
from tests.hub_server.storage.repositories import Repo

router = APIRouter()


async def _thread(hub: TheHub, repo: Readable, num: int) -> Discussion:
    found = hub.discussions.find(repo, num)
    if found is None:
        raise errors.HubError(404, f"Discussion {num} not found")
    return found


Thread = Annotated[Discussion, Depends(_thread)]


class NewThread(BaseModel):
    title: str
    description: str = ""
    pullRequest: bool = False  # noqa: N815  # the wire's spelling


@router.post("/api/{kind}/{namespace}/{name}/discussions")
def open_thread(hub: TheHub, repo: Readable, user: User, body: NewThread) -> dict[str, object]:
    """Pull requests opened this way are drafts at the head of main."""
    with hub.database.transaction():
        head = hub.history.resolve(repo, MAIN)
        base = (MAIN, head.oid) if body.pullRequest and head is not None else None
        thread = hub.discussions.open(
            repo,
            title=body.title,
            description=body.description,
            author=user.user,
            status="draft" if base else "open",
            base=base,
        )
        if base is not None:
            hub.history.set_ref(repo, thread.ref, base[1])
    return {"num": thread.num, "url": f"{hub.url(repo)}/discussions/{thread.num}"}


@router.get("/api/{kind}/{namespace}/{name}/discussions")
def threads(
    hub: TheHub, repo: Readable, request: Request, p: NonNegativeInt = 0
) -> dict[str, object]:
    query = request.query_params
    wanted = [
        thread
        for thread in hub.discussions.all(repo)
        if query.get("author", thread.author) == thread.author
        and _has_status(thread, query.get("status", "all"))
        and _has_type(thread, query.get("type", "all"))
    ]
    size = hub.dials.page_size
    start = p * size
    page = [_summary(repo, thread) for thread in wanted[start : start + size]]
    return {"discussions": page, "count": len(wanted), "start": start}


def _has_status(thread: Discussion, status: str) -> bool:
    return status == "all" or (thread.status in {"open", "draft"}) == (status == "open")


def _has_type(thread: Discussion, kind: str) -> bool:
    return kind == "all" or thread.is_pull_request == (kind == "pull_request")


def _summary(repo: Repo, thread: Discussion) -> dict[str, object]:
    return {
        "num": thread.num,
        "title": thread.title,
        "author": {"name": thread.author},
        "createdAt": thread.created_at,
        "status": thread.status,
        "isPullRequest": thread.is_pull_request,
        "repo": {"name": repo.name.id, "type": repo.name.type},
    }


@router.get("/api/{kind}/{namespace}/{name}/discussions/{num}")
def details(hub: TheHub, repo: Readable, thread: Thread) -> dict[str, object]:
    answer = _summary(repo, thread)
    answer["events"] = [event.wire() for event in hub.discussions.events(repo, thread.num)]
    if thread.is_pull_request:
        changes = {"base": thread.base_ref}
        if thread.merge_commit is not None:
            changes["mergeCommitId"] = thread.merge_commit
        answer["changes"] = changes
        answer["filesWithConflicts"] = conflicts(hub, repo, thread)
        answer["diff"] = diff(hub, repo, thread)
    return answer


class Comment(BaseModel):
    comment: str | None = None


@router.post("/api/{kind}/{namespace}/{name}/discussions/{num}/comment")
def comment(
    hub: TheHub, repo: Readable, user: User, thread: Thread, body: Comment
) -> dict[str, object]:
    event = hub.discussions.comment(repo, thread.num, author=user.user, text=body.comment or "")
    return {"newMessage": event.wire()}


class NewTitle(BaseModel):
    title: str


@router.post("/api/{kind}/{namespace}/{name}/discussions/{num}/title")
def rename(
    hub: TheHub, repo: Readable, user: User, thread: Thread, body: NewTitle
) -> dict[str, object]:
    _check_owner(hub, repo, thread, user)
    event = hub.discussions.rename(repo, thread, author=user.user, title=body.title)
    return {"newTitle": event.wire()}


class NewStatus(BaseModel):
    status: Literal["open", "closed"]
    comment: str | None = None


@router.post("/api/{kind}/{namespace}/{name}/discussions/{num}/status")
def change_status(
    hub: TheHub, repo: Readable, user: User, thread: Thread, body: NewStatus
) -> dict[str, object]:
    _check_owner(hub, repo, thread, user)
    if thread.status == "merged":
        raise errors.bad_request("A merged pull request keeps its status")
    with hub.database.transaction():
        if body.comment:
            hub.discussions.comment(repo, thread.num, author=user.user, text=body.comment)
        event = hub.discussions.set_status(repo, thread.num, author=user.user, status=body.status)
    return {"newStatus": event.wire()}


@router.post("/api/{kind}/{namespace}/{name}/discussions/{num}/merge")
def merge_pull_request(
    hub: TheHub, repo: Writable, user: User, thread: Thread, body: Comment | None = None
) -> dict[str, object]:
    if body is not None and body.comment:
        hub.discussions.comment(repo, thread.num, author=user.user, text=body.comment)
    return {"mergeCommitId": merge(hub, repo, thread, author=user.user).oid}


def _check_owner(hub: Hub, repo: Repo, thread: Discussion, user: Identity) -> None:
    if user.user != thread.author:
        hub.writable(repo.name, user)
