"""Spaces: runtime, hardware, secrets and variables; nothing is ever run."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from tests.hub_server.repo_info import space_runtime
from tests.hub_server.routes.dependencies import Readable, TheHub, Writable
from tests.hub_server.routes.repositories import KeyValue

router = APIRouter()
_SPACE = "/api/{kind}/{namespace}/{name}"
Values = dict[str, dict[str, str | None]]


@router.get(_SPACE + "/runtime")
def runtime(hub: TheHub, repo: Readable) -> dict[str, object]:
    return space_runtime(hub, repo)


class Hardware(BaseModel):
    flavor: str
    sleepTimeSeconds: int | None = None  # noqa: N815  # the wire's spelling


@router.post(_SPACE + "/hardware")
def request_hardware(hub: TheHub, repo: Writable, body: Hardware) -> dict[str, object]:
    hub.spaces.put(repo, "runtime", "hardware", body.flavor)
    if body.sleepTimeSeconds is not None:
        hub.spaces.put(repo, "runtime", "sleepTimeSeconds", str(body.sleepTimeSeconds))
    return space_runtime(hub, repo)


class SleepTime(BaseModel):
    seconds: int


@router.post(_SPACE + "/sleeptime")
def set_sleep_time(hub: TheHub, repo: Writable, body: SleepTime) -> dict[str, object]:
    hub.spaces.put(repo, "runtime", "sleepTimeSeconds", str(body.seconds))
    return space_runtime(hub, repo)


@router.post(_SPACE + "/pause")
def pause(hub: TheHub, repo: Writable) -> dict[str, object]:
    hub.spaces.put(repo, "runtime", "stage", "PAUSED")
    return space_runtime(hub, repo)


@router.post(_SPACE + "/restart")
def restart(hub: TheHub, repo: Writable) -> dict[str, object]:
    hub.spaces.put(repo, "runtime", "stage", "RUNNING")
    return space_runtime(hub, repo)


class Key(BaseModel):
    key: str


@router.get(_SPACE + "/secrets")
def secrets(hub: TheHub, repo: Writable) -> Values:
    """Values of secrets are never read back."""
    found = hub.spaces.all(repo, "secrets")
    return {key: {**item, "key": key, "value": None} for key, item in found.items()}


@router.post(_SPACE + "/secrets")
def add_secret(hub: TheHub, repo: Writable, body: KeyValue) -> str:
    hub.spaces.put(repo, "secrets", body.key, body.value, body.description)
    return "OK"


@router.delete(_SPACE + "/secrets")
def delete_secret(hub: TheHub, repo: Writable, body: Key) -> str:
    hub.spaces.drop(repo, "secrets", body.key)
    return "OK"


@router.get(_SPACE + "/variables")
def variables(hub: TheHub, repo: Readable) -> Values:
    return hub.spaces.all(repo, "variables")


@router.post(_SPACE + "/variables")
def add_variable(hub: TheHub, repo: Writable, body: KeyValue) -> Values:
    hub.spaces.put(repo, "variables", body.key, body.value, body.description)
    return hub.spaces.all(repo, "variables")


@router.delete(_SPACE + "/variables")
def delete_variable(hub: TheHub, repo: Writable, body: Key) -> Values:
    hub.spaces.drop(repo, "variables", body.key)
    return hub.spaces.all(repo, "variables")
