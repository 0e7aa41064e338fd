"""Who is visiting: an account where they signed in, else an address that is only ever hashed.

An address is joined with the day before it is hashed, so that nothing links one day's visits to
the next; votes of people who are not signed in can be taken back on the same day only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple


class Visitor(NamedTuple):
    """``name`` is stable within a day; ``account`` is None for those not signed in."""

    name: str
    account: str | None


def identity(request: Any, profile: Any) -> Visitor:
    """From the request and the signed-in profile, where there is one."""
    if profile is not None:
        return Visitor(f"account:{profile.username}", str(profile.username))
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    host = forwarded or (request.client.host if request.client else "") or "unknown"
    return Visitor(f"address:{host} on {datetime.now(UTC):%Y-%m-%d}", None)
