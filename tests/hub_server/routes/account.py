"""Who am I, may I, what is my CI job trusted with, and is this card's YAML valid."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from tests.hub_server.card import card_problems
from tests.hub_server.routes.dependencies import Caller, Readable, TheHub, User, Writable

router = APIRouter()


@router.get("/api/whoami-v2")
def whoami(hub: TheHub, user: User) -> dict[str, object]:
    return hub.accounts.whoami(user)


@router.get("/api/{kind}/{namespace}/{name}/auth-check")
def check_read_access(hub: TheHub, repo: Readable, caller: Caller) -> dict[str, bool]:
    hub.check_file_access(repo, caller)
    return {"ok": True}


@router.get("/api/{kind}/{namespace}/{name}/auth-check/write")
def check_write_access(repo: Writable) -> dict[str, str]:
    return {"name": repo.name.id}


class TokenExchange(BaseModel):
    subject_token: str
    resource: str


@router.post("/oauth/token")
def exchange_token(hub: TheHub, body: TokenExchange) -> dict[str, object]:
    """Trusted publishing: a CI job's id token for a token that writes to one repository."""
    token = hub.accounts.exchange(body.subject_token, body.resource)
    return {"access_token": token, "token_type": "bearer", "expires_in": 3600}


class CardToValidate(BaseModel):
    content: str
    repoType: str = "model"  # noqa: N815  # the wire's spelling


@router.post("/api/validate-yaml")
def validate_yaml(body: CardToValidate) -> JSONResponse:
    found, warnings = card_problems(body.content)
    content = {
        "errors": [{"message": text} for text in found],
        "warnings": [{"message": text} for text in warnings],
    }
    return JSONResponse(content, status_code=400 if found else 200)
