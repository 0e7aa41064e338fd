"""Asking again after failures that may pass, around what the client does not repeat itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina

from bot.hub.hub_errors import is_transient

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how long: waits double from ``first`` up to ``longest`` seconds."""

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0

    def retrying(
        self,
        action: Callable[[], T],
        *,
        on: Callable[[Exception], bool] = is_transient,
    ) -> T:
        """The action's result; its last failure when it keeps failing or fails for good."""
        for attempt in stamina.retry_context(
            on=on,
            attempts=self.attempts,
            timeout=None,
            wait_initial=self.first,
            wait_max=self.longest,
            wait_jitter=self.first,
        ):
            with attempt:
                return action()
        raise AssertionError("the last attempt returns or raises")
