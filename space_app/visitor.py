"""Who is visiting: an account where they signed in, else an address that is only ever hashed."""

from __future__ import annotations

from typing import Any, NamedTuple


class Visitor(NamedTuple):
    """``name`` is stable within a day at least; ``account`` is None for those not signed in."""

    name: str
    account: str | None


def identity(request: Any, profile: Any) -> Visitor:
    """From the request and the signed-in profile, where there is one."""
    if profile is not None:
        return Visitor(f"account:{profile.username}", str(profile.username))
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    host = forwarded or (request.client.host if request.client else "") or "unknown"
    return Visitor(f"address:{host}", None)
