"""What speaks for a result and what against it, each stated either way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from leaderboard.number_format import attempts, count_of, points
from leaderboard.record import Record
from leaderboard.record_provenance import Flag
from leaderboard.record_results import SuiteResult
from leaderboard.render.escape import html
from leaderboard.verdict import CAP_GAP


class TrustCheck(NamedTuple):
    """One statement, and whether it speaks for the result."""

    good: bool
    statement: str


def trust_list(
    record: Record, suite: SuiteResult | None, flags: Sequence[Flag]
) -> list[TrustCheck]:
    """Every check, good or bad, in a fixed order."""
    return [*_of_the_run(record), *(_of_the_scores(suite) if suite else ()), *_of_the_family(flags)]


def trust_checks(record: Record, suite: SuiteResult | None, flags: Sequence[Flag]) -> str:
    """The same as an HTML list."""
    items = "".join(
        f'<li class="mb-{"better" if check.good else "warn"}">{"✔" if check.good else "⚠"}'
        f" {html(check.statement)}</li>"
        for check in trust_list(record, suite, flags)
    )
    return f'<ul class="mb-trust">{items}</ul>'


def _of_the_run(record: Record) -> Iterator[TrustCheck]:
    for check in record.checks:
        told = f"{check.name}: {check.detail}" if check.detail else check.name
        yield TrustCheck(check.passed, told)
    pinned = [parent for parent in record.parents if parent.revision or parent.digest]
    everyone = len(pinned) == len(record.parents)
    yield TrustCheck(everyone, f"{len(pinned)} of {count_of(len(record.parents), 'parent')} pinned")
    if record.attempts is None:
        yield TrustCheck(False, "the number of attempts was not disclosed")
    else:
        known = record.attempts.count is not None
        disclosed = " disclosed" if known else ""
        family = record.attempts.family
        said = f"{attempts(record.attempts.count)}{disclosed} in the family {family}"
        yield TrustCheck(known, said)
        if record.attempts.sweep and record.status == "ok":
            sweep = record.attempts.sweep
            trials = count_of(sweep.trials, "trial")
            yield TrustCheck(True, f"chosen among {trials} on the {sweep.selection_split} split")


def _of_the_scores(suite: SuiteResult) -> Iterator[TrustCheck]:
    settings = suite.settings
    told = f"same items and settings for all models: {settings.backend}, {settings.dtype}"
    yield TrustCheck(settings.limit is None, f"{told}, batch {settings.batch_size}")
    if settings.limit is not None:
        yield TrustCheck(False, f"only the first {settings.limit} items of each task")
    differ = any(row.prompts_differ for found in suite.comparisons for row in found.tasks)
    yield TrustCheck(not differ, "prompts differ by template" if differ else "same prompts for all")
    gap = max((found.cap_gap or 0.0 for found in suite.comparisons), default=0.0)
    yield TrustCheck(
        gap <= CAP_GAP, f"answers cut at the length cap differ by {points(gap)} points"
    )


def _of_the_family(flags: Sequence[Flag]) -> Iterator[TrustCheck]:
    if not flags:
        yield TrustCheck(True, "no warning on any known ancestor")
    for flag in flags:
        yield TrustCheck(False, f"{flag.kind}: {flag.reason}")
