"""Which published merges nobody needs any more, and what they hold; nothing is ever deleted."""

from __future__ import annotations

import math
import time
from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bot.errors import AccessError
from bot.hub.client import Hub
from bot.hub.hub_errors import explained
from leaderboard.record import Record
from leaderboard.record_results import Headline, SuiteResult

Z_FIVE_PERCENT = 1.959963984540054
DAY = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class SupersededModel:
    """A published merge with a significantly better sibling; sizes in bytes."""

    record: Record
    better: Record
    storage: int


def dominated(records: Sequence[Record], *, older_than: float, now: float) -> list[SupersededModel]:
    """Published merges that a published merge over the same parents beats.

    "Beats" is a z test at 5 % two-sided on the headline's standard errors, as if the items were
    not shared: harder to pass than the paired test of the verdict, so nothing goes by mistake.

    Args:
        records: the board's records.
        older_than: days since the run.
        now: seconds since the epoch.
    """
    live = [one for one in records if one.publication is not None and one.retraction is None]
    found = []
    for record in live:
        age = now - timegm(time.strptime(record.created, "%Y-%m-%dT%H:%M:%SZ"))
        siblings = [other for other in live if _same_family(record, other)]
        better = [other for other in siblings if _beats(other, record)]
        if age >= older_than * DAY and better:
            best = max(better, key=lambda one: _score(one, record) or 0.0)
            size = sum(file.size for file in record.files.values())
            found.append(SupersededModel(record=record, better=best, storage=size))
    return found


def still_public(hub: Hub, candidates: Sequence[SupersededModel]) -> list[SupersededModel]:
    """Those of them that are public now, with the storage the Hub counts.

    Raises:
        HubError: the Hub is out of reach.
    """
    found = []
    for one in candidates:
        assert one.record.publication is not None  # noqa: S101 - only published runs are candidates
        repo = one.record.publication.repo
        try:
            with explained("look up", repo, hub.url(repo)):
                info = hub.retry_policy.retrying(
                    partial(hub.api.model_info, repo, files_metadata=True)
                )
        except AccessError:
            continue
        if not info.private:
            size = sum(file.size or 0 for file in info.siblings or [])
            found.append(SupersededModel(record=one.record, better=one.better, storage=size))
    return found


def _same_family(record: Record, other: Record) -> bool:
    return (
        other.run_key != record.run_key
        and record.attempts is not None
        and other.attempts is not None
        and record.attempts.family == other.attempts.family
        and record.merge_key != other.merge_key
    )


def _beats(other: Record, record: Record) -> bool:
    ours, theirs = _common(record, other)
    if ours is None or theirs is None or ours.stderr is None or theirs.stderr is None:
        return False
    error = math.hypot(ours.stderr, theirs.stderr)
    return error > 0 and (theirs.value - ours.value) / error > Z_FIVE_PERCENT


def _score(other: Record, record: Record) -> float | None:
    head = _common(record, other)[1]
    return head.value if head else None


def _common(record: Record, other: Record) -> tuple[Headline | None, Headline | None]:
    """Both headlines on the first suite by name that both were run on."""
    for suite in sorted(record.suites, key=lambda found: (found.suite, found.version)):
        twin = next((one for one in other.suites if one.digest == suite.digest), None)
        if twin is not None:
            return _head(record, suite), _head(other, twin)
    return None, None


def _head(record: Record, suite: SuiteResult) -> Headline | None:
    return suite.headline.get(record.model_digest or "")
