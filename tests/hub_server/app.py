"""The two origins as ASGI applications: the Hub with its API, and the store of LFS objects."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tests.hub_server import errors
from tests.hub_server.hub import Hub
from tests.hub_server.middleware import Observed
from tests.hub_server.routes import (
    account,
    admin,
    commits,
    discussions,
    files,
    info,
    lfs,
    refs,
    repositories,
    resolve,
    spaces,
    uploads,
)

# The first route that matches wins: the broad paths of files and LFS come last.
_HUB_ROUTERS = (
    admin.router,
    account.router,
    repositories.router,
    uploads.router,
    commits.router,
    files.router,
    refs.router,
    discussions.router,
    info.router,
    spaces.router,
    lfs.hub_router,
    resolve.hub_router,
)
_ID_WITHOUT_NAMESPACE = re.compile(
    r"/api/(?:models|datasets|spaces)/[^/]+"
    r"(?:/(?:revision|tree|paths-info|preupload|commits?|branch|tag)/.*)?"
    r"|/(?:(?:datasets|spaces)/)?[^/]+/resolve/.*"
)
_CDN_ROUTERS = (lfs.cdn_router, resolve.cdn_router)


def hub_app(hub: Hub) -> Observed:
    """The origin that clients know as the endpoint."""
    return Observed(_app(hub, _HUB_ROUTERS), hub.requests, hub.faults)


def cdn_app(hub: Hub) -> Observed:
    """The second origin: no accounts, every URL carries its own signature."""
    return Observed(_app(hub, _CDN_ROUTERS), hub.requests, hub.faults)


def _app(hub: Hub, routers: Sequence[APIRouter]) -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.state.hub = hub
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(errors.HubError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_exception_handler(HTTPException, _refuse)
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    """Every refusal in the Hub's form, with the code the client looks for."""
    if isinstance(error, errors.HubError):
        return error.response()
    if isinstance(error, RequestValidationError):
        return errors.bad_request(f"Malformed request: {error.errors()[0]}").response()
    if _ID_WITHOUT_NAMESPACE.fullmatch(request.url.path):
        return errors.repo_not_found().response()
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = f"This server has no route {request.method} {request.url.path}"
    return errors.HubError(status, message).response()
