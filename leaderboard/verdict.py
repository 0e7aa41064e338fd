"""The verdict on a merge: one of four words, its numbers, and the one sentence that says both.

The p values stand on the two-sided scale, so that the word, p and the 95 % interval agree: a
merge is better than every parent when the largest of its p values over all parents is below 5 %
(an intersection-union test, which needs no correction for the number of parents).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from leaderboard.number_format import interval, listed, p_value, points, signed
from leaderboard.record import Record
from leaderboard.record_results import Comparison, SuiteResult
from leaderboard.statistics.multiple_testing import holm, intersection_union, two_sided_claim

ALPHA = 0.05
CAP_GAP = 0.02
"""Cap-hit rates further apart than this cannot support "better"."""


class Verdict(StrEnum):
    """What may be said, in the order in which it is asked."""

    BETTER = "better than every parent"
    WORSE = "worse than its best parent"
    AS_GOOD = "as good as its best parent"
    UNDETECTED = "no detectable difference"
    NO_PARENTS = "no parent to compare with"
    PENDING = "not evaluated yet"
    FAILED = "failed"

    @property
    def symbol(self) -> str:
        """The sign that goes with the word; never shown alone."""
        return SYMBOLS[self]

    @property
    def slug(self) -> str:
        """The word for files, addresses and style sheets."""
        return self.name.lower().replace("_", "-")


SYMBOLS = {
    Verdict.BETTER: "▲",
    Verdict.WORSE: "▼",
    Verdict.AS_GOOD: "≈",
    Verdict.UNDETECTED: "?",
    Verdict.NO_PARENTS: "·",
    Verdict.PENDING: "○",
    Verdict.FAILED: "✕",
}
FLAG_SYMBOL = "⚑"


@dataclass(frozen=True, kw_only=True)
class VerdictDetail:
    """A verdict with its evidence against the best parent.

    ``p`` belongs to the verdict's own test; ``claim_p`` is the p value of "better than every
    parent" whatever the verdict, for corrections over many claims. All differences are fractions.
    """

    verdict: Verdict
    best_parent: str | None = None
    best_parent_name: str | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    mde: float | None = None
    margin: float | None = None
    claim_p: float | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


def judge(record: Record, suite: SuiteResult | None = None) -> VerdictDetail:
    """The verdict of a record on a suite; on its first suite where none is named."""
    if record.status == "failed":
        failure = record.failure
        reason = f"in stage {failure.stage}: {failure.message}" if failure else None
        return VerdictDetail(verdict=Verdict.FAILED, reason=reason)
    suite = suite or next(iter(record.suites), None)
    if suite is None:
        return VerdictDetail(verdict=Verdict.PENDING)
    if not suite.comparisons:
        return VerdictDetail(verdict=Verdict.NO_PARENTS)
    names = {parent.key: parent.name for parent in record.parents}
    return judge_suite(suite, names)


def best_parent(suite: SuiteResult) -> Comparison:
    """The comparison with the parent of the highest headline; the first of equals."""
    return max(suite.comparisons, key=lambda found: _headline_value(suite, found.parent))


def claim_p_value(comparisons: tuple[Comparison, ...]) -> float:
    """The p value of "better than every parent"."""
    return intersection_union([two_sided_claim(found.overall.p_greater) for found in comparisons])


def sentence(judgement: VerdictDetail, name: str) -> str:
    """The verdict as one sentence, used on every face; plain text, to be escaped by its face."""
    verdict = judgement.verdict
    if verdict is Verdict.FAILED:
        return f"{verdict.symbol} {name} failed {judgement.reason or ''}".rstrip()
    if verdict in {Verdict.PENDING, Verdict.NO_PARENTS}:
        return f"{verdict.symbol} {name}: {verdict.value}"
    numbers = (
        f"{signed(judgement.delta)} {_difference_interval(judgement)} points"
        f" against {judgement.best_parent_name}"
    )
    verb = "shows" if verdict is Verdict.UNDETECTED else "is"
    return f"{verdict.symbol} {name} {verb} {verdict.value}: {numbers}, {evidence(judgement)}"


def evidence(judgement: VerdictDetail) -> str:
    """``p = 0.004, detectable from 1.2`` and, where it matters, the margin."""
    parts = []
    if judgement.p is not None:
        parts.append(p_value(judgement.p))
    if judgement.mde is not None:
        parts.append(f"detectable from {points(judgement.mde)}")
    if judgement.verdict is Verdict.AS_GOOD and judgement.margin is not None:
        parts.append(f"margin {points(judgement.margin)}")
    return ", ".join(parts)


def judge_suite(suite: SuiteResult, names: Mapping[str, str]) -> VerdictDetail:
    """The verdict of one suite's comparisons; ``names`` gives each parent's name by key."""
    best = best_parent(suite)
    claim = claim_p_value(suite.comparisons)
    capped = [found for found in suite.comparisons if (found.cap_gap or 0.0) > CAP_GAP]
    verdict, p = _word(best, claim, capped=bool(capped))
    return VerdictDetail(
        verdict=verdict,
        best_parent=best.parent,
        best_parent_name=names[best.parent],
        delta=best.overall.delta,
        low=best.overall.low,
        high=best.overall.high,
        p=p,
        mde=best.overall.mde,
        margin=best.noninferiority.margin,
        claim_p=claim,
        notes=(
            *_some_note(suite, verdict, names),
            *_cap_notes(capped, names),
            *_task_notes(suite),
            *_template_notes(suite, names),
        ),
    )


def _word(best: Comparison, claim: float, *, capped: bool) -> tuple[Verdict, float]:
    worse = two_sided_claim(best.overall.p_less)
    if claim < ALPHA and not capped:
        return Verdict.BETTER, claim
    if worse < ALPHA:
        return Verdict.WORSE, worse
    if best.noninferiority.p < ALPHA / 2:
        return Verdict.AS_GOOD, best.noninferiority.p
    return Verdict.UNDETECTED, best.overall.p_two_sided


def _some_note(suite: SuiteResult, verdict: Verdict, names: Mapping[str, str]) -> list[str]:
    beaten = [
        names[found.parent]
        for found in suite.comparisons
        if two_sided_claim(found.overall.p_greater) < ALPHA
    ]
    if verdict is Verdict.BETTER or not beaten or len(beaten) == len(suite.comparisons):
        return []
    return [f"better than some: {listed(beaten)}"]


def _cap_notes(capped: list[Comparison], names: Mapping[str, str]) -> list[str]:
    return [
        f"its share of answers cut at the length cap differs by {points(found.cap_gap)} points from"
        f" {names[found.parent]}'s: that cannot support “better”"
        for found in capped
    ]


def _task_notes(suite: SuiteResult) -> list[str]:
    """The tasks on which the merge loses to its best parent, after Holm over the tasks."""
    best = best_parent(suite)
    titles = {task.task: task.title for task in suite.tasks}
    adjusted = holm([two_sided_claim(row.p_less) for row in best.tasks])
    return [
        f"worse on {titles[row.task]} ({signed(row.delta)})"
        for row, p in zip(best.tasks, adjusted, strict=True)
        if p < ALPHA
    ]


def _template_notes(suite: SuiteResult, names: Mapping[str, str]) -> list[str]:
    """The models that have no chat template where the others were asked in theirs."""
    return [
        f"{names.get(key, 'the merge')} has no chat template and was asked in plain text"
        for key in suite.plain_prompts
    ]


def _headline_value(suite: SuiteResult, key: str) -> float:
    headline = suite.headline.get(key)
    return headline.value if headline else float("-inf")


def _difference_interval(judgement: VerdictDetail) -> str:
    return interval(judgement.low, judgement.high)
