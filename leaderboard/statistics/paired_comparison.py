"""A merge against one parent: every task, then all of them together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from leaderboard.board_errors import IncomparableError
from leaderboard.record_results import (
    Comparison,
    Difference,
    Discordant,
    NonInferiority,
    PairedTest,
    TaskDifference,
)
from leaderboard.sample_scores import Paired, TaskScores, align
from leaderboard.statistics.headline import checked_weights
from leaderboard.statistics.mcnemar import mcnemar_exact, tango_interval
from leaderboard.statistics.multiple_testing import noninferiority
from leaderboard.statistics.paired_tests import (
    DRAWS,
    Stratum,
    bootstrap,
    bootstrap_tails,
    macro_difference,
    macro_error,
    percentile_interval,
    sign_flip,
)
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
) -> Comparison:
    """Compare two models' scores on a suite, item by item.

    Args:
        merge: the merge's scores by task.
        parent: the parent's scores by task.
        parent_key: the parent's key in the record.
        weights: the tasks' shares of the headline, summing to 1; equal where None.
        lower_bounds: the scores of guessing, to normalise the headline by.
        margin: what may be lost for "kept the skill", on the headline's scale.
        draws: resamples and sign flips.

    Raises:
        IncomparableError: other tasks, other items, or partial coverage.
    """
    if merge.keys() != parent.keys():
        missing = sorted(merge.keys() ^ parent.keys())
        raise IncomparableError(
            f"only one of the two models was scored on {', '.join(missing)}",
            hint="evaluate both models on the whole suite",
        )
    shares = checked_weights(merge, weights)
    pairs = {task: align(merge[task], parent[task]) for task in merge}
    strata = [
        _stratum(pair, shares[task] / (1 - (lower_bounds or {}).get(task, 0.0)))
        for task, pair in pairs.items()
    ]
    overall, kept = _overall(strata, margin, draws)
    return Comparison(
        parent=parent_key,
        tasks=tuple(compare_task(task, pair, draws=draws) for task, pair in pairs.items()),
        overall=overall,
        noninferiority=NonInferiority(margin=margin, p=kept),
        cap_gap=_cap_gap(merge, parent),
    )


def compare_task(task: str, pair: Paired, *, draws: int = DRAWS) -> TaskDifference:
    """One task: McNemar and Tango for independent right-or-wrong items, else resampling."""
    stratum = _stratum(pair, 1.0)
    differences = pair.differences
    discordant = None
    if pair.binary:
        discordant = Discordant(b=int((differences > 0).sum()), c=int((differences < 0).sum()))
    if discordant and pair.clusters is None:
        tails = mcnemar_exact(discordant.b, discordant.c)
        low, high = tango_interval(discordant.b, discordant.c, differences.size)
    else:
        tails = sign_flip([stratum], draws=draws)
        low, high = percentile_interval(bootstrap([stratum], draws=draws))
    return TaskDifference(
        task=task,
        delta=float(differences.mean()),
        low=low,
        high=high,
        p_greater=tails.greater,
        p_less=tails.less,
        p_two_sided=tails.two_sided,
        n=differences.size,
        mde=minimum_detectable_effect(macro_error([stratum])),
        test=_test_name(pair),
        clusters=None if pair.clusters is None else stratum.units[0].size,
        discordant=discordant,
        prompts_differ=pair.prompts_differ > 0,
    )


def _overall(strata: list[Stratum], margin: float, draws: int) -> tuple[Difference, float]:
    resamples = bootstrap(strata, draws=draws)
    tails = bootstrap_tails(resamples)
    low, high = percentile_interval(resamples)
    difference = Difference(
        delta=macro_difference(strata),
        low=low,
        high=high,
        p_greater=tails.greater,
        p_less=tails.less,
        p_two_sided=tails.two_sided,
        n=sum(stratum.differences.size for stratum in strata),
        mde=minimum_detectable_effect(macro_error(strata)),
        test="stratified-bootstrap",
    )
    return difference, noninferiority(resamples, margin)


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
