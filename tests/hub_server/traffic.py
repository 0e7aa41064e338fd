"""The log of every request a server has seen, in the order of arrival."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass

from tests.hub_server.endpoints import Endpoint


@dataclass(kw_only=True)
class Request:
    """One request; `status` is None when the client never got one, byte counts are bodies'."""

    number: int
    endpoint: Endpoint
    method: str
    path: str
    query: str
    range: str | None = None
    status: int | None = None
    fault: str | None = None
    received: int = 0
    sent: int = 0

    def wire(self) -> dict[str, object]:
        return asdict(self)


class RequestLog:
    """Admin requests are not recorded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def open(self, endpoint: Endpoint, method: str, path: str, query: str) -> Request:
        with self._lock:
            number = len(self._requests)
            request = Request(
                number=number, endpoint=endpoint, method=method, path=path, query=query
            )
            if endpoint is not Endpoint.ADMIN:
                self._requests.append(request)
            return request

    def all(self) -> list[Request]:
        with self._lock:
            return list(self._requests)

    def endpoints(self) -> list[Endpoint]:
        """The classes of all requests, in order."""
        return [request.endpoint for request in self.all()]

    def count(self, endpoint: Endpoint | str) -> int:
        return self.endpoints().count(Endpoint(endpoint))

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()
