"""A merge against one parent: every task, then all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from leaderboard.board_errors import IncomparableError
from leaderboard.record_results import (
    Comparison,
    Difference,
    Discordant,
    NonInferiority,
    PairedTest,
    Selection,
    TaskDifference,
)
from leaderboard.sample_scores import Paired, TaskScores, align
from leaderboard.statistics.best_parent import contenders, correlation
from leaderboard.statistics.headline import checked_weights
from leaderboard.statistics.macro_estimate import MacroEstimate, macro_estimate
from leaderboard.statistics.mcnemar import mcnemar_exact, mcnemar_interval
from leaderboard.statistics.paired_tests import DRAWS, Stratum, sign_flip
from leaderboard.statistics.power import minimum_detectable_effect

MARGIN = 0.01
"""How much may be lost, of 1, and still count as kept; a suite may set its own."""


def compare_models(
    merge: Mapping[str, TaskScores],
    parent: Mapping[str, TaskScores],
    *,
    parent_key: str,
    weights: Mapping[str, float] | None = None,
    lower_bounds: Mapping[str, float] | None = None,
    margin: float = MARGIN,
    draws: int = DRAWS,
    same_weights: bool = False,
) -> Comparison:
    """Compare two models' scores on a suite, item by item.

    Args:
        merge: the merge's scores by task.
        parent: the parent's scores by task.
        parent_key: the parent's key in the record.
        weights: the tasks' shares of the headline, summing to 1; equal where None.
        lower_bounds: the scores of guessing, to normalise the headline by.
        margin: what may be lost for "kept the skill", on the headline's scale.
        draws: sign flips of a task that is not right or wrong.
        same_weights: whether the two are the same model.

    Raises:
        IncomparableError: other tasks, other items, or partial coverage.
    """
    pairs = _aligned(merge, parent)
    shares = checked_weights(merge, weights)
    items = sum(pair.differences.size for pair in pairs.values())
    if same_weights:
        return identical_comparison(parent_key, items=items, margin=margin)
    estimate = macro_estimate(_strata(pairs, shares, lower_bounds))
    same_answers = all(
        not pair.differences.any() and _texts_agree(merge[task], parent[task])
        for task, pair in pairs.items()
    )
    return Comparison(
        parent=parent_key,
        tasks=tuple(compare_task(task, pair, draws=draws) for task, pair in pairs.items()),
        overall=_overall(estimate, items),
        noninferiority=NonInferiority(margin=margin, p=estimate.p_not_above(-margin)),
        cap_gap=_cap_gap(merge, parent),
        identical="answers" if same_answers else None,
    )


def identical_comparison(parent_key: str, *, items: int, margin: float = MARGIN) -> Comparison:
    """The comparison of a merge with a parent whose weights it has: there is no difference."""
    return Comparison(
        parent=parent_key,
        tasks=(),
        overall=_overall(MacroEstimate(delta=0.0, stderr=0.0, df=math.inf), items),
        noninferiority=NonInferiority(margin=margin, p=0.0),
        identical="weights",
    )


def select_best(
    scores: Mapping[str, Mapping[str, TaskScores]],
    comparisons: Sequence[Comparison],
    *,
    weights: Mapping[str, float] | None = None,
    lower_bounds: Mapping[str, float] | None = None,
) -> Selection | None:
    """Which parents may be the best one, from their scores; None where there is no parent.

    Args:
        scores: the parents' scores by task, by key.
        comparisons: the merge against each parent.
        weights: as for `compare_models`.
        lower_bounds: as for `compare_models`.
    """
    against = {found.parent: estimate_of(found) for found in comparisons}
    if not against:
        return None

    def between(first: str, second: str) -> MacroEstimate:
        pairs = _aligned(scores[first], scores[second])
        shares = checked_weights(scores[first], weights)
        return macro_estimate(_strata(pairs, shares, lower_bounds))

    best = min(against, key=lambda key: (against[key].delta, key))
    keys = sorted(against)
    items = max(found.overall.n for found in comparisons)
    found = [keys[place] for place in contenders([between(best, key) for key in keys], items)]
    differing = [
        key
        for place, key in enumerate(found)
        if not any(_same_scores(scores[key], scores[other]) for other in found[:place])
    ]
    pairs = [
        correlation(against[first], against[second], between(first, second))
        for place, first in enumerate(differing)
        for second in differing[:place]
    ]
    mean = float(np.mean(pairs)) if pairs else 0.0
    return Selection(contenders=tuple(differing), correlation=round(min(max(mean, 0.0), 1.0), 3))


def estimate_of(comparison: Comparison) -> MacroEstimate:
    """A comparison's headline difference with its error; older records say it as ``mde`` only."""
    overall = comparison.overall
    stderr = overall.stderr
    if stderr is None:
        stderr = overall.mde / minimum_detectable_effect(1.0)
    return MacroEstimate(delta=overall.delta, stderr=stderr, df=overall.df or math.inf)


def compare_task(task: str, pair: Paired, *, draws: int = DRAWS) -> TaskDifference:
    """One task: McNemar's test for independent right-or-wrong items, else the sign-flip test."""
    stratum = _stratum(pair, 1.0)
    differences = pair.differences
    discordant = None
    if pair.binary:
        discordant = Discordant(b=int((differences > 0).sum()), c=int((differences < 0).sum()))
    if discordant and pair.clusters is None:
        tails = mcnemar_exact(discordant.b, discordant.c)
        low, high = mcnemar_interval(discordant.b, discordant.c, differences.size)
    else:
        tails, low, high = sign_flip(stratum, draws=draws)
    return TaskDifference(
        task=task,
        delta=float(differences.mean()),
        low=low,
        high=high,
        p_greater=tails.greater,
        p_less=tails.less,
        p_two_sided=tails.two_sided,
        n=differences.size,
        mde=minimum_detectable_effect(macro_estimate([stratum]).stderr),
        test=_test_name(pair),
        clusters=None if pair.clusters is None else stratum.units[0].size,
        discordant=discordant,
        prompts_differ=pair.prompts_differ > 0,
    )


def _overall(estimate: MacroEstimate, items: int) -> Difference:
    low, high = estimate.interval()
    tails = estimate.tails
    return Difference(
        delta=estimate.delta,
        low=low,
        high=high,
        p_greater=tails.greater,
        p_less=tails.less,
        p_two_sided=tails.two_sided,
        n=items,
        mde=minimum_detectable_effect(estimate.stderr),
        test="studentized",
        stderr=estimate.stderr,
        df=None if math.isinf(estimate.df) else estimate.df,
    )


def _aligned(
    merge: Mapping[str, TaskScores], parent: Mapping[str, TaskScores]
) -> dict[str, Paired]:
    if merge.keys() != parent.keys():
        missing = sorted(merge.keys() ^ parent.keys())
        raise IncomparableError(
            f"only one of the two models was scored on {', '.join(missing)}",
            hint="evaluate both models on the whole suite",
        )
    return {task: align(merge[task], parent[task]) for task in merge}


def _strata(
    pairs: Mapping[str, Paired],
    shares: Mapping[str, float],
    lower_bounds: Mapping[str, float] | None,
) -> list[Stratum]:
    return [
        _stratum(pair, shares[task] / (1 - (lower_bounds or {}).get(task, 0.0)))
        for task, pair in pairs.items()
    ]


def _same_scores(first: Mapping[str, TaskScores], second: Mapping[str, TaskScores]) -> bool:
    return not any(pair.differences.any() for pair in _aligned(first, second).values())


def _texts_agree(first: TaskScores, second: TaskScores) -> bool:
    """Whether the answers read the same, as far as both models' answers are kept in words."""
    if first.texts is None or second.texts is None:
        return True
    ours = dict(zip(first.doc_ids, first.texts.answers, strict=True))
    return ours == dict(zip(second.doc_ids, second.texts.answers, strict=True))


def _stratum(pair: Paired, weight: float) -> Stratum:
    return Stratum(pair.differences, pair.clusters, pair.binary, weight)


def _test_name(pair: Paired) -> PairedTest:
    if pair.clusters is not None:
        return "cluster-sign-flip"
    return "mcnemar-exact" if pair.binary else "sign-flip"


def _cap_gap(merge: Mapping[str, TaskScores], parent: Mapping[str, TaskScores]) -> float | None:
    gaps = [
        abs(ours - theirs)
        for task in merge
        if (ours := merge[task].capped) is not None and (theirs := parent[task].capped) is not None
    ]
    return float(np.max(gaps)) if gaps else None
