"""One fault in one class of requests of a journey: what a cell of the fault matrix is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi

from bot.errors import MergebotError
from bot.events import silent
from bot.hub.client import Hub
from bot.hub.hub_parents import DownloadResolver
from bot.recipe.recipe import ModelRef
from tests.hub.prepared import Prepared, announce_to, hub_at, problems_with
from tests.hub_server import Endpoint, FaultKind

PARENT = "tester/first"

JOURNEY = (
    Endpoint.AUTH_CHECK, Endpoint.INFO, Endpoint.RESOLVE_HEAD, Endpoint.RESOLVE_GET,
    Endpoint.CDN_GET, Endpoint.CREATE, Endpoint.PREUPLOAD, Endpoint.LFS_BATCH, Endpoint.LFS_PUT,
    Endpoint.LFS_COMPLETE, Endpoint.LFS_VERIFY, Endpoint.VALIDATE_YAML, Endpoint.COMMIT,
    Endpoint.COMMITS, Endpoint.SETTINGS,
)  # fmt: skip
"""Every class of requests between a recipe and its row."""

DOWNLOADS = {Endpoint.RESOLVE_HEAD, Endpoint.RESOLVE_GET, Endpoint.CDN_GET}
BODIES = {FaultKind.SHORT_BODY, FaultKind.RESET_BODY, FaultKind.CORRUPT_BODY, FaultKind.SLOW_BODY}
WITHOUT_BODY = {
    Endpoint.RESOLVE_HEAD, Endpoint.LFS_PUT, Endpoint.LFS_COMPLETE, Endpoint.LFS_VERIFY,
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A fault: where, what, and on which of the matching requests."""

    endpoint: Endpoint
    kind: FaultKind
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.endpoint}-{self.kind}" + (f"-{self.skip}" if self.skip else "")


def applies(endpoint: Endpoint, kind: FaultKind) -> bool:
    """Whether this fault can show on this class at all."""
    if kind is FaultKind.IGNORE_RANGE:
        return endpoint in {Endpoint.RESOLVE_GET, Endpoint.CDN_GET}
    if kind is FaultKind.NO_ETAG:
        return endpoint in {*DOWNLOADS, Endpoint.LFS_PUT}
    return not (kind in BODIES and endpoint in WITHOUT_BODY)


CELLS = [
    Cell(endpoint, kind) for endpoint in JOURNEY for kind in FaultKind if applies(endpoint, kind)
]


@dataclass
class SandboxResult:
    """How a cell went: what each attempt raised, and what was wrong afterwards."""

    hits: int = 0
    first: str | None = None
    second: str | None = None
    problems: list[str] = field(default_factory=list)
    surprise: str | None = None


def play(
    prepared: Prepared,
    endpoint: str,
    token: str,
    folder: Path,
    name: str,
    arm: Callable[[], Callable[[], int]],
) -> SandboxResult:
    """Fetch, publish and add a row under a fault, then once more without it.

    ``arm`` dials the fault; what it returns takes the fault away and says how often it hit.
    """
    ended = SandboxResult()
    organisation = "mergebot"
    settings = {"results": f"{organisation}/{name}-results"}
    repo = f"{organisation}/{name}"
    run = prepared.copy(folder / "workspace")
    named = run.record.model_copy(update={"name": name})
    run = Prepared(named, run.workspace, run.recipe, run.digests)
    hub = hub_at(endpoint, token, folder / "cache")
    api = HfApi(endpoint=endpoint, token=token)
    disarm = arm()
    try:
        ended.first = _attempt(run, hub, organisation, settings)
    except Exception as surprise:  # noqa: BLE001 - anything but an error of ours is the finding
        ended.surprise = repr(surprise)
    ended.hits = disarm()
    if _is_public_without_card(api, repo):
        ended.problems.append("public without a card")
    try:
        ended.second = _attempt(run, hub, organisation, settings)
    except Exception as surprise:  # noqa: BLE001
        ended.surprise = repr(surprise)
    ended.problems += problems_with(api, run, repo, settings["results"])
    return ended


def _attempt(run: Prepared, hub: Hub, organisation: str, settings: dict[str, str]) -> str | None:
    """None where all went well, or the error that a user reads."""
    try:
        fetching = DownloadResolver(hub)
        found = fetching(ModelRef(path=PARENT), silent)
        assert found.digest == run.digests[found.ref.name], "other bytes arrived"
        announce_to(run, hub, organisation, **settings)
    except MergebotError as error:
        return error.message or "no message"
    return None


def _is_public_without_card(api: HfApi, repo: str) -> bool:
    if not api.repo_exists(repo):
        return False
    info = api.model_info(repo)
    names = {file.rfilename for file in info.siblings or []}
    return not info.private and "README.md" not in names
