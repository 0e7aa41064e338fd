"""Descriptions of single repositories and lists of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import PositiveInt
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse

from tests.hub_server import errors
from tests.hub_server.accounts import Identity
from tests.hub_server.card import texts
from tests.hub_server.hub import Hub
from tests.hub_server.names import RepoName, RepoType
from tests.hub_server.repo_info import listed_info, repo_info, safetensors_header
from tests.hub_server.routes.dependencies import (
    AtCommit,
    Caller,
    PathInRepo,
    Readable,
    TheHub,
    one_page,
)
from tests.hub_server.storage.history import MAIN, Commit
from tests.hub_server.storage.repositories import Repo

router = APIRouter()
_TRUE = frozenset({"true", "True", "1"})


@router.get("/api/{kind}/{namespace}/{name}")
def info(hub: TheHub, repo: Readable, request: Request) -> JSONResponse:
    """The head of main."""
    head = hub.history.resolve(repo, MAIN)
    if head is None:
        raise errors.revision_not_found("main")
    return JSONResponse(_described(hub, repo, head, request.query_params))


@router.get("/api/{kind}/{namespace}/{name}/revision/{revision}")
def info_at(hub: TheHub, repo: Readable, commit: AtCommit, request: Request) -> JSONResponse:
    return JSONResponse(_described(hub, repo, commit, request.query_params))


def _described(hub: Hub, repo: Repo, commit: Commit, query: QueryParams) -> dict[str, object]:
    description = repo_info(hub, repo, commit, blobs=query.get("blobs") in _TRUE)
    if query.get("securityStatus") in _TRUE:
        description["securityRepoStatus"] = {"scansDone": True, "filesWithIssues": []}
    return _selected(description, query)


def _selected(description: dict[str, object], query: QueryParams) -> dict[str, object]:
    """Only the fields that `expand` names, when it names any."""
    wanted = {*query.getlist("expand"), *query.getlist("expand[]")}
    if not wanted:
        return description
    always = {"_id", "id", "modelId"}
    return {key: value for key, value in description.items() if key in wanted | always}


@router.get("/api/models/{namespace}/{name}/safetensors-metadata/{path:path}")
def safetensors_metadata(hub: TheHub, repo: Readable, path: PathInRepo) -> dict[str, Any]:
    """The headers of all shards of an index on main, in one answer."""
    head = hub.history.resolve(repo, MAIN)
    tree = hub.history.tree(head) if head is not None else {}
    if path not in tree:
        raise errors.entry_not_found()
    shards = [name for name in tree if name.endswith(".safetensors") and "/" not in name]
    return {
        "index": {"metadata": {}},
        "headers": {name: safetensors_header(hub, tree[name]) for name in shards},
    }


@router.get("/api/{kind}")
def listing(
    hub: TheHub,
    kind: str,
    caller: Caller,
    request: Request,
    response: Response,
    limit: PositiveInt | None = None,
) -> list[dict[str, object]]:
    """Newest first, filtered by `author`, `search` and every `filter` tag."""
    repo_type = RepoType.of_plural(kind)
    if repo_type is None:
        raise errors.HubError(404, f"Unknown route /api/{kind}")
    query = request.query_params
    found = [
        _selected(description, query)
        for repo in hub.repositories.all(repo_type)
        if _is_wanted(hub, repo, caller, query)
        for description in [listed_info(hub, repo)]
        if set(query.getlist("filter")) <= set(texts(description.get("tags")))
    ]
    size = min(limit or hub.dials.page_size, hub.dials.page_size)
    return one_page(found, size=size, hub=hub, request=request, response=response)


def _is_wanted(hub: Hub, repo: Repo, caller: Identity | None, query: QueryParams) -> bool:
    name: RepoName = repo.name
    return (
        hub.lists(repo, caller)
        and query.get("author", name.namespace) == name.namespace
        and query.get("search", "").lower() in name.id.lower()
    )
