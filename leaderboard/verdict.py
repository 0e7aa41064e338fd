"""The verdict on a merge: a few agreed words, their numbers, and the one sentence that says both.

The p values stand on the two-sided scale, so that the word, p and the 95 % interval agree: a merge
is better than every parent when the largest of its p values over all parents is below 5 %, and
worse than its best parent when the p value that knows how that parent was chosen is
(`leaderboard.statistics.best_parent`). A claim of "better" is corrected for the number of attempts
over the same parents; where it does not survive that, it is provisional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from leaderboard.number_format import count_of, interval, p_value, points, signed
from leaderboard.record import Record
from leaderboard.record_results import Comparison, SuiteResult
from leaderboard.statistics.multiple_testing import bonferroni, intersection_union, two_sided_claim
from leaderboard.verdict_notes import cap_notes, some_note, task_notes, template_notes

if TYPE_CHECKING:
    from leaderboard.statistics.best_parent import AgainstBest

ALPHA = 0.05
CAP_GAP = 0.02
"""Cap-hit rates further apart than this cannot support "better"."""


class Verdict(StrEnum):
    """What may be said, in the order in which it is asked; identical parents are asked first."""

    BETTER = "better than every parent"
    WORSE = "worse than its best parent"
    AS_GOOD = "as good as its best parent"
    UNDETECTED = "no detectable difference"
    IDENTICAL = "identical to a parent"
    SAME_ANSWERS = "same answers as a parent"
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
    Verdict.IDENTICAL: "≡",
    Verdict.SAME_ANSWERS: "=",
    Verdict.NO_PARENTS: "·",
    Verdict.PENDING: "○",
    Verdict.FAILED: "✕",
}
PROVISIONAL_SYMBOL = "△"
FLAG_SYMBOL = "⚑"


@dataclass(frozen=True, kw_only=True)
class VerdictDetail:
    """A verdict with its evidence against the best parent.

    ``p`` belongs to the verdict's own test; ``claim_p`` is the p value of "better than every
    parent" whatever the verdict, for corrections over many claims. ``attempts`` is how many merges
    of the same parents were tried, None where that is unknown. ``holds`` says whether "better"
    survives the correction for them; a board sets it anew for all of its claims. ``same_as`` names
    the parent that the merge is identical to. All differences are fractions.
    """

    verdict: Verdict
    best_parent: str | None = None
    best_parent_name: str | None = None
    same_as: str | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    mde: float | None = None
    margin: float | None = None
    claim_p: float | None = None
    attempts: int | None = None
    holds: bool = False
    reason: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def provisional(self) -> bool:
        """Whether "better" holds for this merge alone, but not after correction."""
        return self.verdict is Verdict.BETTER and not self.holds

    @property
    def symbol(self) -> str:
        """The sign of the verdict; a claim that holds and a provisional one look different."""
        return PROVISIONAL_SYMBOL if self.provisional else self.verdict.symbol

    @property
    def slug(self) -> str:
        """The word for style sheets."""
        return "provisional" if self.provisional else self.verdict.slug

    @property
    def words(self) -> str:
        """The verdict in words, with the parent it is identical to."""
        if self.provisional:
            return f"{self.verdict.value} (provisional)"
        if self.same_as is not None:
            return f"{self.verdict.value.removesuffix('a parent')}{self.same_as}"
        return self.verdict.value

    @property
    def corrected_p(self) -> float | None:
        """``claim_p`` corrected for the attempts; None where their number is unknown."""
        if self.claim_p is None or self.attempts is None:
            return None
        return bonferroni(self.claim_p, self.attempts)


def main_suite(record: Record, required: str | None = None) -> SuiteResult | None:
    """The suite a record's verdict is of: the required one, or the first by name.

    The order of suites in a file decides nothing. None where the record has no suite.
    """
    named = [suite for suite in record.suites if suite.suite == required]
    found = named or list(record.suites)
    return min(found, key=lambda suite: (suite.suite, suite.version), default=None)


def judge(
    record: Record, suite: SuiteResult | None = None, *, required: str | None = None
) -> VerdictDetail:
    """The verdict of a record.

    Args:
        record: the run.
        suite: the result to judge; `main_suite` where None.
        required: the name of the board's required suite.
    """
    if record.status == "failed":
        failure = record.failure
        reason = f"in stage {failure.stage}: {failure.message}" if failure else None
        return VerdictDetail(verdict=Verdict.FAILED, reason=reason)
    suite = suite or main_suite(record, required)
    names = record.parent_names()
    attempts = record.attempts.count if record.attempts else None
    if suite is None:
        same_as = names.get(record.model_digest or "")
        verdict = Verdict.IDENTICAL if same_as else Verdict.PENDING
        return VerdictDetail(verdict=verdict, same_as=same_as, attempts=attempts)
    suite = with_identical_parent(record, suite)
    if not suite.comparisons:
        return VerdictDetail(verdict=Verdict.NO_PARENTS)
    return judge_suite(suite, names, attempts=attempts)


def best_parent(suite: SuiteResult) -> Comparison:
    """The comparison with the parent of the highest headline.

    Of equally high ones it is the one whose weights the merge has, else the first by key.
    """
    return min(
        suite.comparisons,
        key=lambda found: (
            -_headline_value(suite, found.parent),
            found.identical is None,
            found.parent,
        ),
    )


def against_best(suite: SuiteResult) -> AgainstBest:
    """The statistics of the merge against the best of its parents.

    Records that do not say which parents may be the best one are treated as if all of them might
    be, with differences that are independent of each other: the most cautious assumption.
    """
    from leaderboard.statistics.best_parent import AgainstBest  # loads SciPy
    from leaderboard.statistics.paired_comparison import estimate_of

    keys = [found.parent for found in suite.comparisons]
    chosen = suite.selection.contenders if suite.selection else tuple(keys)
    return AgainstBest(
        differences=[estimate_of(found) for found in suite.comparisons],
        contenders=[keys.index(key) for key in chosen if key in keys] or list(range(len(keys))),
        correlation=suite.selection.correlation if suite.selection else 0.0,
    )


def claim_p_value(comparisons: tuple[Comparison, ...]) -> float:
    """The p value of "better than every parent"."""
    return intersection_union([two_sided_claim(found.overall.p_greater) for found in comparisons])


def sentence(judgement: VerdictDetail, name: str) -> str:
    """The verdict as one sentence, used on every face; plain text, to be escaped by its face."""
    verdict = judgement.verdict
    if verdict is Verdict.FAILED:
        return f"{verdict.symbol} {name} failed {judgement.reason or ''}".rstrip()
    if judgement.delta is None:
        join = " is " if judgement.same_as else ": "
        return f"{verdict.symbol} {name}{join}{judgement.words}"
    verb = {Verdict.UNDETECTED: "shows", Verdict.SAME_ANSWERS: "gives the"}.get(verdict, "is")
    numbers = f"{signed(judgement.delta)} {interval(judgement.low, judgement.high)} points"
    against = f"against {judgement.best_parent_name}"
    said = evidence(judgement)
    return f"{judgement.symbol} {name} {verb} {judgement.words}: {numbers} {against}, {said}"


def evidence(judgement: VerdictDetail) -> str:
    """The p value with its correction, what the test could detect, and the margin if it matters."""
    parts = []
    if judgement.verdict is Verdict.BETTER and judgement.claim_p is not None:
        parts.append(_corrected(judgement))
    elif judgement.p is not None:
        parts.append(p_value(judgement.p))
    if judgement.mde:
        detectable = points(judgement.mde)
        parts.append(f"this test could detect differences of {detectable} points or more")
    if judgement.verdict is Verdict.AS_GOOD and judgement.margin is not None:
        parts.append(f"margin {points(judgement.margin)}")
    return ", ".join(parts)


def judge_suite(
    suite: SuiteResult, names: Mapping[str, str], *, attempts: int | None = 1
) -> VerdictDetail:
    """The verdict of one suite's comparisons.

    Args:
        suite: the result, with at least one comparison.
        names: each parent's name by key.
        attempts: how many merges over the same parents were tried; None where that is unknown.
    """
    best = best_parent(suite)
    statistics = against_best(suite)
    claim = claim_p_value(suite.comparisons)
    capped = [found for found in suite.comparisons if (found.cap_gap or 0.0) > CAP_GAP]
    low, high = statistics.interval
    same = min(
        (found for found in suite.comparisons if found.identical),
        key=lambda found: (found.identical != "weights", found is not best, found.parent),
        default=None,
    )
    if best.identical == "weights":
        low = high = 0.0
    detail = VerdictDetail(
        verdict=Verdict.UNDETECTED,
        best_parent=best.parent,
        best_parent_name=names[best.parent],
        same_as=names[same.parent] if same else None,
        delta=best.overall.delta,
        low=low,
        high=high,
        mde=best.overall.mde,
        margin=best.noninferiority.margin,
        claim_p=claim,
        attempts=attempts,
        holds=attempts is not None and bonferroni(claim, attempts) < ALPHA,
    )
    verdict, p = _word(suite, statistics, claim, same=same, capped=bool(capped))
    detail = replace(detail, verdict=verdict, p=p, holds=detail.holds and verdict is Verdict.BETTER)
    notes = (
        *some_note(suite, names, is_better=verdict is Verdict.BETTER, alpha=ALPHA),
        *cap_notes(capped, names),
        *task_notes(suite, best, alpha=ALPHA),
        *template_notes(suite, names),
    )
    return replace(detail, notes=notes)


def _word(
    suite: SuiteResult,
    statistics: AgainstBest,
    claim: float,
    *,
    same: Comparison | None,
    capped: bool,
) -> tuple[Verdict, float]:
    p = min(claim, statistics.p_worse)
    if same is not None:
        return (Verdict.IDENTICAL if same.identical == "weights" else Verdict.SAME_ANSWERS), p
    if claim < ALPHA and not capped:
        return Verdict.BETTER, claim
    if statistics.p_worse < ALPHA:
        return Verdict.WORSE, statistics.p_worse
    kept = max(found.noninferiority.p for found in suite.comparisons)
    if kept < ALPHA / 2:
        return Verdict.AS_GOOD, kept
    return Verdict.UNDETECTED, p


def _headline_value(suite: SuiteResult, key: str) -> float:
    headline = suite.headline.get(key)
    return headline.value if headline else float("-inf")


def _corrected(judgement: VerdictDetail) -> str:
    p, attempts = judgement.claim_p or 0.0, judgement.attempts
    if attempts == 1:
        return p_value(p)
    if attempts is None or judgement.corrected_p is None:
        return f"{p_value(p)} alone, not corrected because the number of attempts is unknown"
    tried = count_of(attempts, "attempt")
    if judgement.corrected_p < ALPHA:
        return f"{p_value(judgement.corrected_p)} corrected for {tried}"
    return f"{p_value(p)} alone, {p_value(judgement.corrected_p)} corrected for {tried}"


def with_identical_parent(record: Record, suite: SuiteResult) -> SuiteResult:
    """The result with the comparison to an identical parent, which old records leave out."""
    digest = record.model_digest or ""
    compared = {found.parent for found in suite.comparisons}
    if digest not in record.parent_names() or digest in compared:
        return suite
    from leaderboard.statistics.paired_comparison import identical_comparison  # loads SciPy

    items = max(1, sum(task.n for task in suite.tasks))
    added = identical_comparison(digest, items=items)
    return suite.model_copy(update={"comparisons": (*suite.comparisons, added), "selection": None})
