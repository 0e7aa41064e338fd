"""Commits: made from NDJSON with a check of the parent, listed, squashed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from tests.hub_server import errors
from tests.hub_server.accounts import Identity
from tests.hub_server.changes import Changes
from tests.hub_server.hub import Hub
from tests.hub_server.routes.dependencies import (
    AtCommit,
    Readable,
    Revision,
    TheHub,
    User,
    Writable,
    one_page,
)
from tests.hub_server.storage.discussions import Discussion
from tests.hub_server.storage.history import Commit
from tests.hub_server.storage.repositories import Repo

router = APIRouter()


@router.post("/api/{kind}/{namespace}/{name}/commit/{revision}")
async def commit(
    hub: TheHub, repo: Readable, user: User, revision: Revision, request: Request
) -> dict[str, object]:
    """The body is read line by line, so memory holds one regular file at most."""
    create_pr = "create_pr" in request.query_params
    if not create_pr:
        hub.check_push(repo, user, revision)
    changes = Changes(hub=hub, repo=repo)
    async for lines in _lines(request):
        await run_in_threadpool(changes.add_lines, lines)
    make = _open_pull_request if create_pr else _push
    return await run_in_threadpool(make, hub, changes, user, revision)


async def _lines(request: Request) -> AsyncIterator[list[bytes]]:
    """The non-empty lines of a body as they become complete, however it is cut into chunks."""
    begun: list[bytes] = []
    async for chunk in request.stream():
        first, *more = chunk.split(b"\n")
        begun.append(first)
        if more:
            *whole, last = more
            yield list(filter(None, [b"".join(begun), *whole]))
            begun = [last]
    if line := b"".join(begun):
        yield [line]


def _push(hub: Hub, changes: Changes, user: Identity, revision: str) -> dict[str, object]:
    """Compare and swap: the parent is checked and the branch moved in one transaction."""
    repo = changes.repo
    with hub.database.transaction():
        ref = hub.history.branch_ref(repo, revision)
        head = hub.history.resolve(repo, ref) if ref is not None else None
        if ref is None or head is None:
            raise errors.revision_not_found(revision)
        header = changes.checked_header()
        if header.parentCommit is not None and not head.oid.startswith(header.parentCommit):
            raise errors.head_moved()
        made = _record(hub, changes, user, ref=ref, parent=head)
        if ref.startswith("refs/pr/"):
            _announce(hub, repo, int(ref.rpartition("/")[2]), user, made)
    return _answer(hub, repo, made)


def _open_pull_request(
    hub: Hub, changes: Changes, user: Identity, revision: str
) -> dict[str, object]:
    """`parentCommit` is where the pull request starts; nothing is compared."""
    repo = changes.repo
    with hub.database.transaction():
        target = hub.history.branch_ref(repo, revision)
        header = changes.checked_header()
        base = hub.history.resolve(repo, header.parentCommit or revision)
        if target is None or base is None:
            raise errors.revision_not_found(revision)
        thread = hub.discussions.open(
            repo,
            title=header.summary,
            description=header.description,
            author=user.user,
            status="open",
            base=(target, base.oid),
        )
        made = _record(hub, changes, user, ref=thread.ref, parent=base)
        _announce(hub, repo, thread.num, user, made)
    return {**_answer(hub, repo, made), "pullRequestUrl": _thread_url(hub, repo, thread)}


def _record(hub: Hub, changes: Changes, user: Identity, *, ref: str, parent: Commit) -> Commit:
    header = changes.checked_header()
    return hub.history.record(
        changes.repo,
        changes.apply(hub.history.tree(parent)),
        ref=ref,
        parent=parent.oid,
        title=header.summary,
        message=header.description,
        author=user.user,
    )


def _announce(hub: Hub, repo: Repo, num: int, user: Identity, made: Commit) -> None:
    data: dict[str, object] = {"subject": made.title, "oid": made.oid}
    hub.discussions.add_event(repo, num, kind="commit", author=user.user, data=data)


def _answer(hub: Hub, repo: Repo, made: Commit) -> dict[str, object]:
    return {
        "success": True,
        "commitOid": made.oid,
        "commitUrl": f"{hub.url(repo)}/commit/{made.oid}",
        "hookOutput": "",
    }


def _thread_url(hub: Hub, repo: Repo, thread: Discussion) -> str:
    return f"{hub.url(repo)}/discussions/{thread.num}"


@router.get("/api/{kind}/{namespace}/{name}/commits/{revision}")
def commits(
    hub: TheHub, repo: Readable, head: AtCommit, request: Request, response: Response
) -> list[dict[str, object]]:
    log: list[dict[str, object]] = [
        {
            "id": made.oid,
            "title": made.title,
            "message": made.message,
            "authors": [{"user": made.author}],
            "date": made.date,
        }
        for made in hub.history.log(repo, head)
    ]
    size = hub.dials.page_size
    return one_page(log, size=size, hub=hub, request=request, response=response)


class Squash(BaseModel):
    message: str


@router.post("/api/{kind}/{namespace}/{name}/super-squash/{revision}")
def squash(
    hub: TheHub, repo: Writable, user: User, revision: Revision, head: AtCommit, body: Squash
) -> dict[str, object]:
    """Replace a branch's history by one commit with the same files."""
    ref = hub.history.branch_ref(repo, revision)
    if ref is None:
        raise errors.revision_not_found(revision)
    made = hub.history.record(
        repo,
        hub.history.tree(head),
        ref=ref,
        parent=None,
        title=body.message,
        message="",
        author=user.user,
    )
    return _answer(hub, repo, made)
