"""What a test does to a server in another process: dial faults, read the log, set the dials."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel

from tests.hub_server.endpoints import Endpoint
from tests.hub_server.faults import FaultKind
from tests.hub_server.routes.dependencies import TheHub

router = APIRouter(prefix="/_admin")


class NewFault(BaseModel, extra="forbid"):
    endpoint: Endpoint
    kind: FaultKind
    times: int | None = 1
    skip: int = 0
    path: str = ""
    retry_after: int = 0
    delay: float = 0.5


@router.post("/faults")
def add_fault(hub: TheHub, body: NewFault) -> dict[str, object]:
    return hub.faults.add(**body.model_dump()).wire()


@router.get("/faults")
def faults(hub: TheHub) -> list[dict[str, object]]:
    return [fault.wire() for fault in hub.faults.all()]


@router.delete("/faults")
def clear_faults(hub: TheHub) -> str:
    hub.faults.clear()
    return "OK"


@router.get("/requests")
def requests(hub: TheHub) -> list[dict[str, object]]:
    return [request.wire() for request in hub.requests.all()]


@router.delete("/requests")
def clear_requests(hub: TheHub) -> str:
    hub.requests.clear()
    return "OK"


class NewDials(BaseModel, extra="forbid"):
    page_size: int | None = None
    regular_limit: int | None = None
    multipart_over: int | None = None
    part_size: int | None = None
    discard_over: int | None = None
    free_plan: bool | None = None


@router.patch("/dials")
def set_dials(hub: TheHub, body: NewDials) -> dict[str, object]:
    """Change the dials that the body names, answer them all."""
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(hub.dials, name, value)
    return asdict(hub.dials)
