"""Whose votes count: people who signed in with an account that is older than a month.

A signed-in profile need not say when the account was created; then the Hub's public overview of the
user is read. Where neither says it, the vote is stored and not counted.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

MADE = "createdAt"
OLD_ENOUGH = timedelta(days=30)
REMEMBERED = 10_000

Joined = Callable[[Mapping[str, Any]], datetime | None]
"""When the account of a signed-in profile was made, None where that is not known."""


def profile_created(profile: Mapping[str, Any]) -> datetime | None:
    """What the profile itself says."""
    return _moment(profile.get(MADE))


class HubAccounts:
    """Asks the Hub where the profile does not say it; what is known is asked once.

    Args:
        api: the client; no token is needed.
    """

    def __init__(self, api: HfApi | None = None) -> None:
        self._api = api or HfApi()
        self._known: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    def account_created(self, profile: Mapping[str, Any]) -> datetime | None:
        """When the account was made; None where neither the profile nor the Hub says it."""
        name = str(profile.get("preferred_username", ""))
        found = profile_created(profile) or self._known.get(name) or self._asked(name)
        if found is not None:
            with self._lock:
                self._known[name] = found
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return found

    def _asked(self, name: str) -> datetime | None:
        try:
            overview = self._api.get_user_overview(name)
        except (HfHubHTTPError, httpx2.HTTPError, OSError):
            return None
        except (TypeError, ValueError):  # the client could not read the answer
            return None
        return _moment(vars(overview).get(MADE))


def uncounted(
    profile: Mapping[str, Any] | None, account_created: Joined, now: datetime
) -> str | None:
    """Why votes of this visitor do not count; None where they do."""
    if profile is None:
        return "not signed in"
    since = account_created(profile)
    if since is None:
        return "the Hub does not say how old your account is"
    if now - since < OLD_ENOUGH:
        return f"your account is younger than {OLD_ENOUGH.days} days"
    return None


def _moment(text: object) -> datetime | None:
    """ISO 8601 as a moment; UTC where no zone is given."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
