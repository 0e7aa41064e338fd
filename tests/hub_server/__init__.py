"""A local server that speaks the Hugging Face Hub's wire protocol, with durable storage.

`python -m tests.hub_server --port 8899 --data DIR` starts it for a person; `serve(DIR)` runs it
inside a test and `spawn(DIR)` in a process of its own. Faults are dialled per class of request.
"""

from __future__ import annotations

from tests.hub_server.accounts import Accounts, Identity
from tests.hub_server.dials import Dials
from tests.hub_server.endpoints import Endpoint
from tests.hub_server.faults import Fault, FaultDial, FaultKind
from tests.hub_server.server import HubServer, client_env, serve
from tests.hub_server.spawn import SpawnedServer, spawn
from tests.hub_server.traffic import Request, RequestLog

__all__ = [
    "Accounts",
    "Dials",
    "Endpoint",
    "Fault",
    "FaultDial",
    "FaultKind",
    "HubServer",
    "Identity",
    "Request",
    "RequestLog",
    "SpawnedServer",
    "client_env",
    "serve",
    "spawn",
]
