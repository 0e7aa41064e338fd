"""What handlers ask for: the hub, the caller, the repository and the commit of the URL.

The dependencies are coroutines because they are short: a hop to a thread costs more than they do.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode

from fastapi import Depends, Request, Response

from tests.hub_server import errors
from tests.hub_server.accounts import Identity
from tests.hub_server.hub import Hub
from tests.hub_server.names import RepoName, RepoType
from tests.hub_server.storage.history import Commit
from tests.hub_server.storage.repositories import Repo

Item = TypeVar("Item")


async def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


TheHub = Annotated[Hub, Depends(_hub)]


async def _caller(request: Request, hub: TheHub) -> Identity | None:
    return hub.accounts.identify(request.headers.get("authorization"))


Caller = Annotated[Identity | None, Depends(_caller)]


async def _user(caller: Caller) -> Identity:
    if caller is None:
        raise errors.login_required()
    return caller


User = Annotated[Identity, Depends(_user)]


async def _name(request: Request) -> RepoName:
    params = request.path_params
    kind = RepoType.of_plural(params.get("kind", RepoType.MODEL.plural))
    if kind is None:
        raise errors.repo_not_found()
    return RepoName(type=kind, namespace=unquote(params["namespace"]), name=unquote(params["name"]))


NameInUrl = Annotated[RepoName, Depends(_name)]


async def _readable(hub: TheHub, name: NameInUrl, caller: Caller, request: Request) -> Repo:
    """The repository of the URL; a former name is answered with the way to the new one."""
    try:
        return hub.readable(name, caller)
    except errors.HubError:
        moved = hub.repositories.find_moved(name)
        if moved is None or not hub.lists(moved, caller):
            raise
        path = request.url.path.replace(f"/{name.id}", f"/{moved.name.id}", 1)
        url = f"{hub.endpoint}{path}?{request.url.query}".rstrip("?")
        raise errors.moved(url) from None


Readable = Annotated[Repo, Depends(_readable)]


async def _writable(hub: TheHub, name: NameInUrl, caller: Caller) -> Repo:
    return hub.writable(name, caller)


Writable = Annotated[Repo, Depends(_writable)]


async def _revision(request: Request) -> str:
    return unquote(request.path_params.get("revision", "main"))


Revision = Annotated[str, Depends(_revision)]


async def _commit(hub: TheHub, repo: Readable, revision: Revision) -> Commit:
    commit = hub.history.resolve(repo, revision)
    if commit is None:
        raise errors.revision_not_found(revision)
    return commit


AtCommit = Annotated[Commit, Depends(_commit)]


async def _path(request: Request) -> str:
    return unquote(request.path_params.get("path", ""))


PathInRepo = Annotated[str, Depends(_path)]


def one_page(
    items: Sequence[Item], *, size: int, hub: Hub, request: Request, response: Response
) -> list[Item]:
    """The page that the request's cursor asks for; links the next one in the `Link` header.

    Raises:
        HubError: 400 for a cursor this server did not make.
    """
    start = _decode_cursor(request.query_params.get("cursor"))
    if start + size < len(items):
        query = [(k, v) for k, v in parse_qsl(request.url.query) if k != "cursor"]
        query.append(("cursor", _encode_cursor(start + size)))
        url = f"{hub.endpoint}{request.url.path}?{urlencode(query)}"
        response.headers["Link"] = f'<{url}>; rel="next"'
    return list(items[start : start + size])


def _encode_cursor(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode()


def _decode_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return max(int(base64.urlsafe_b64decode(cursor)), 0)
    except (ValueError, binascii.Error) as error:
        raise errors.bad_request("Invalid cursor") from error
