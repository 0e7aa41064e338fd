"""The fault dial: which requests go wrong, how, and how often."""

from __future__ import annotations

import threading
import uuid
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from tests.hub_server.endpoints import Endpoint


class FaultKind(StrEnum):
    """What can happen to a request.

    The first group keeps the server from doing the work. In the second the work is done and the
    answer suffers: `drop-after` of a commit is a commit whose answer is lost; `short-body` ends
    half way, `reset-body` too, but by a TCP reset; `corrupt-body` flips one bit.
    """

    TOO_MANY_REQUESTS = "429"
    UNAVAILABLE = "503"
    INTERNAL_ERROR = "500"
    PAYMENT_REQUIRED = "402"
    CONFLICT = "409"
    HEAD_MOVED = "412"
    DROP_BEFORE = "drop-before"

    DROP_AFTER = "drop-after"
    SHORT_BODY = "short-body"
    RESET_BODY = "reset-body"
    CORRUPT_BODY = "corrupt-body"
    SLOW_BODY = "slow-body"
    IGNORE_RANGE = "ignore-range"
    NO_ETAG = "no-etag"

    @property
    def status(self) -> int | None:
        """The status to answer without handling the request, None for the other kinds."""
        return int(self.value) if self.value.isdigit() else None


@dataclass(kw_only=True)
class Fault:
    """Skip the first `skip` matching requests, then hit `times` of them (None: all).

    `path` narrows the match to request paths containing it. `retry_after` is in whole seconds,
    `delay` is the pause in seconds before each of the four pieces of a slow body.
    """

    endpoint: Endpoint
    kind: FaultKind
    times: int | None = 1
    skip: int = 0
    path: str = ""
    retry_after: int = 0
    delay: float = 0.5
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    hits: int = 0

    def wire(self) -> dict[str, object]:
        return asdict(self)


class FaultDial:
    """Faults in the order they were dialled; the first that matches a request takes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(
        self,
        endpoint: Endpoint | str,
        kind: FaultKind | str,
        *,
        times: int | None = 1,
        skip: int = 0,
        path: str = "",
        retry_after: int = 0,
        delay: float = 0.5,
    ) -> Fault:
        """Dial a fault; returns it, so that a test can read `hits` afterwards."""
        fault = Fault(
            endpoint=Endpoint(endpoint),
            kind=FaultKind(kind),
            times=times,
            skip=skip,
            path=path,
            retry_after=retry_after,
            delay=delay,
        )
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, endpoint: Endpoint, path: str) -> Fault | None:
        """The fault that hits this request, counted; None lets it through."""
        with self._lock:
            for fault in self._faults:
                if fault.endpoint not in {endpoint, Endpoint.ANY} or fault.path not in path:
                    continue
                if fault.times is not None and fault.hits >= fault.times:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.hits += 1
                return fault
            return None

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
