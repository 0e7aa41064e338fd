"""What is in a revision: the tree, page by page, and single paths."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response

from tests.hub_server import errors
from tests.hub_server.hub import Hub
from tests.hub_server.routes.dependencies import (
    AtCommit,
    PathInRepo,
    Readable,
    TheHub,
    one_page,
)
from tests.hub_server.storage.blobs import lfs_pointer
from tests.hub_server.storage.history import Commit, Entry, Tree
from tests.hub_server.storage.repositories import Repo

router = APIRouter()
_EXPANDED_PAGE = 50
_TRUE = frozenset({"true", "True", "1"})


@router.get("/api/{kind}/{namespace}/{name}/tree/{revision}")
@router.get("/api/{kind}/{namespace}/{name}/tree/{revision}/{path:path}")
def tree(
    hub: TheHub,
    repo: Readable,
    commit: AtCommit,
    path: PathInRepo,
    request: Request,
    response: Response,
) -> list[dict[str, object]]:
    entries = hub.history.tree(commit)
    prefix = f"{path.strip('/')}/" if path else ""
    below = {name: entry for name, entry in entries.items() if name.startswith(prefix)}
    if prefix and not below:
        raise errors.entry_not_found(f"{path} does not exist on {commit.oid}", commit=commit.oid)
    recursive = request.query_params.get("recursive") in _TRUE
    nodes = [
        node
        for node in nodes_of(below)
        if str(node["path"]).startswith(prefix)
        and (recursive or "/" not in str(node["path"]).removeprefix(prefix))
    ]
    expand = request.query_params.get("expand") in _TRUE
    size = min(hub.dials.page_size, _EXPANDED_PAGE) if expand else hub.dials.page_size
    page = one_page(nodes, size=size, hub=hub, request=request, response=response)
    return [_expanded(hub, repo, commit, node) for node in page] if expand else page


@router.post("/api/{kind}/{namespace}/{name}/paths-info/{revision}")
async def paths_info(
    hub: TheHub, repo: Readable, commit: AtCommit, request: Request
) -> list[dict[str, object]]:
    """Paths that do not exist are left out, as the Hub does."""
    form = parse_qs((await request.body()).decode())
    wanted = {path.strip("/") for path in form.get("paths", [])}
    entries = hub.history.tree(commit)
    found = [node for node in nodes_of(entries) if node["path"] in wanted]
    for node in found:
        entry = entries.get(str(node["path"]))
        if entry is not None and entry.lfs:
            node["xetHash"] = _xet_hash(entry)
    if form.get("expand", ["false"])[0] in _TRUE:
        return [_expanded(hub, repo, commit, node) for node in found]
    return found


def nodes_of(entries: Tree) -> list[dict[str, object]]:
    """Files and the folders above them, sorted by path, as the tree API shows them."""
    folders: dict[str, list[Entry]] = {}
    for path, entry in entries.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folders.setdefault("/".join(parts[:depth]), []).append(entry)
    nodes = [file_node(entry) for entry in entries.values()]
    nodes += [_folder_node(path, below) for path, below in folders.items()]
    return sorted(nodes, key=lambda node: str(node["path"]))


def file_node(entry: Entry) -> dict[str, object]:
    node: dict[str, object] = {
        "type": "file",
        "path": entry.path,
        "size": entry.size,
        "oid": entry.oid,
    }
    if entry.lfs:
        pointer_size = len(lfs_pointer(entry.sha256, entry.size))
        node["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": pointer_size}
    return node


def _folder_node(path: str, below: list[Entry]) -> dict[str, object]:
    listing = "".join(f"{entry.path}\0{entry.oid}\n" for entry in below)
    oid = hashlib.sha1(listing.encode()).hexdigest()
    return {"type": "directory", "path": path, "oid": oid, "size": 0}


def _xet_hash(entry: Entry) -> str:
    """The client asks for one before it copies an LFS file between repositories.

    Only `paths-info` shows it: in the tree or on a download it would send the client to a
    chunk store that this server does not have.
    """
    return hashlib.sha256(f"xet:{entry.sha256}".encode()).hexdigest()


def _expanded(hub: Hub, repo: Repo, commit: Commit, node: dict[str, object]) -> dict[str, object]:
    last = _last_commit(hub, repo, commit, str(node["path"]))
    expanded = {**node, "lastCommit": {"id": last.oid, "title": last.title, "date": last.date}}
    if node["type"] == "file":
        expanded["securityFileStatus"] = {
            "status": "safe",
            "avScan": {"virusFound": False, "virusNames": None},
            "pickleImportScan": None,
        }
    return expanded


def _last_commit(hub: Hub, repo: Repo, head: Commit, path: str) -> Commit:
    """The newest commit that changed a file, or a file below a folder."""
    newest = head
    state = _state(hub, head, path)
    for commit in hub.history.log(repo, head):
        if _state(hub, commit, path) != state:
            break
        newest = commit
    return newest


def _state(hub: Hub, commit: Commit, path: str) -> list[tuple[str, str]]:
    return [
        (name, entry.oid)
        for name, entry in hub.history.tree(commit).items()
        if name == path or name.startswith(f"{path}/")
    ]
