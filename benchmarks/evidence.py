"""How often the statistics are wrong when nothing is to be found, as a page in ``docs``.

Scores of a merge and its parents are drawn again and again from models that are equally good, and
the share of wrong words and of intervals that hold the truth is counted. The same functions make
the verdicts of the product.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm

from bot.pipeline.machine_info import machine
from leaderboard.sample_scores import Floats
from leaderboard.statistics.best_parent import AgainstBest, contenders, correlation
from leaderboard.statistics.macro_estimate import MacroEstimate, macro_estimate
from leaderboard.statistics.multiple_testing import holm
from leaderboard.statistics.paired_tests import Stratum
from leaderboard.statistics.rank_ranges import rank_ranges

PAGE = Path(__file__).parent.parent / "docs" / "evidence.md"
TASKS, ITEMS = 3, 200
ALPHA = 0.05
BOARDS = {10: 1_000, 100: 300, 1_000: 100, 10_000: 40}
"""How many boards of each number of claims."""


@dataclass(frozen=True)
class Scenario:
    """How right-or-wrong scores of equally good models are drawn.

    Args:
        name: for the table.
        share: of items a model gets right.
        likeness: how much of an item's difficulty all models share, 0 to 1.
        behind: by how much all parents but the first are worse.
    """

    name: str
    share: float = 0.6
    likeness: float = 0.6
    behind: float = 0.0


SCENARIOS = (
    Scenario("equal models"),
    Scenario("nearly the same answers", likeness=0.98),
    Scenario("near the ceiling", share=0.97),
    Scenario("one good parent, the others 6 points behind", behind=0.06),
)


@dataclass(frozen=True)
class Errors:
    """Shares of trials: called better, called worse, and intervals that hold the truth."""

    better: float
    worse: float
    covered: float


def verdict_errors(scenario: Scenario, parents: int, trials: int, *, seed: int = 0) -> Errors:
    """What is said of a merge that is exactly as good as its best parent."""
    random = np.random.default_rng([seed, parents])
    counts = np.zeros(3)
    for _ in range(trials):
        low, high = _against_best(_draw(scenario, parents, random)).interval
        counts += (low > 0, high < 0, low <= 0 <= high)
    return Errors(*(counts / trials).tolist())


def best_of_many(attempts: int, trials: int, *, seed: int = 0) -> float:
    """How often the best of equal variants gets a ✓ when it is corrected for all of them."""
    random = np.random.default_rng(seed)
    marked = 0
    for _ in range(trials):
        scores = _draw(SCENARIOS[0], attempts, random)  # the variants, and the parent as the first
        p_values = [
            min(1.0, 2 * _difference(scores, place, 0).tails.greater)
            for place in range(1, attempts + 1)
        ]
        marked += holm([min(p_values)], attempts)[0] < ALPHA
    return marked / trials


def false_marks(claims: int, trials: int, *, seed: int = 0) -> float:
    """How often a board of claims, all of them false, shows any ✓."""
    random = np.random.default_rng(seed)
    marked = 0
    for _ in range(trials):
        found = [_null_claim(share, random) for share in random.uniform(0.01, 0.3, claims)]
        found.sort(key=lambda one: one.delta / one.stderr)
        smallest = min(2 * one.tails.greater for one in found[-10:])
        marked += holm([min(1.0, smallest)], claims)[0] < ALPHA
    return marked / trials


def rank_errors(models: int, trials: int, *, seed: int = 0) -> float:
    """How often the range of one of several equal models leaves out a rank that it may have."""
    random = np.random.default_rng(seed)
    wrong = 0
    for _ in range(trials):
        scores = _draw(SCENARIOS[0], models - 1, random)
        values = np.mean([task.mean(axis=1) for task in scores], axis=0)
        centred = [task - task.mean(axis=1, keepdims=True) for task in scores]
        scale = 1 / (TASKS * np.sqrt(ITEMS * (ITEMS - 1)))
        residuals = {
            model: np.concatenate([task[model] for task in centred]) * scale
            for model in range(models)
        }
        errors = np.array([np.sqrt(found @ found) for found in residuals.values()])
        ranges = rank_ranges(values, errors, residuals)
        wrong += sum(found != (1, models) for found in ranges)
    return wrong / trials / models


def demo_claim() -> float:
    """The corrected p value of the demo's claim, z of 5.8, among 10,000 claims."""
    estimate = MacroEstimate(delta=5.8, stderr=1.0, df=597.0)
    return holm([min(1.0, 2 * estimate.tails.greater)], 10_000)[0]


def page(trials: int, boards_of: Mapping[int, int]) -> Iterator[str]:
    """The page line by line, as its numbers come.

    Args:
        trials: of every row.
        boards_of: how many boards of each number of claims.
    """
    yield from _head(trials)
    yield "| scenario | parents | false “better” | false “worse” | coverage of the 95 % interval |"
    yield "|---|---:|---:|---:|---:|"
    for scenario in SCENARIOS:
        for parents in range(1, 7):
            found = verdict_errors(scenario, parents, trials)
            shares = " | ".join(_percent(one) for one in (found.better, found.worse, found.covered))
            yield f"| {scenario.name} | {parents} | {shares} |"
    yield from ("", "## Many attempts and many claims", "", "| what | share |", "|---|---:|")
    for attempts in (1, 5, 20):
        share = _percent(best_of_many(attempts, trials))
        yield f"| any ✓ for the best of {attempts} equal variants | {share} |"
    for claims, boards in boards_of.items():
        share = _percent(false_marks(claims, boards))
        yield f"| any ✓ on a board of {claims:,} false claims ({boards:,} boards) | {share} |"
    share = _percent(rank_errors(10, max(trials // 4, 1)))
    yield f"| the rank range of one of ten equal models leaves a rank out | {share} |"
    yield ""
    yield f"The demo's claim (z = 5.8) has a corrected p of {demo_claim():.1g} among 10,000 claims."


def write(
    trials: int, place: Path = PAGE, *, boards_of: Mapping[int, int] = BOARDS
) -> Iterator[str]:
    """Make the page, line by line; it is written when all of it is there."""
    lines = []
    for line in page(trials, boards_of):
        lines.append(line)
        yield line
    place.write_text("\n".join(lines) + "\n", "utf-8")


def _head(trials: int) -> Iterator[str]:
    facts = machine()
    yield "# How often the statistics are wrong"
    yield ""
    yield (
        "Scores are drawn from models that are exactly as good as each other, so every “better”"
        " and every “worse” is false. Each may happen in at most 5 % of trials, and the 95 %"
        " interval of the difference to the best parent should hold the truth in 94 to 96 %."
        " Where few items tell the models apart, as near the ceiling or where nearly all answers"
        " are the same, scores of right-or-wrong items move in steps and the interval holds the"
        " truth more often."
    )
    yield ""
    yield (
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())} with"
        f" `python -m benchmarks evidence` on"
        f" {', '.join(f'{name} {value}' for name, value in sorted(facts.items()))}."
        f" {trials:,} trials each, of {TASKS} tasks with {ITEMS} items."
    )
    yield from ("", "## A merge against the best of its parents", "")


def _draw(scenario: Scenario, parents: int, random: np.random.Generator) -> list[Floats]:
    """By task, float64[1 + parents, items]: the merge's and its parents' scores."""
    shares = np.full((parents + 1, 1), scenario.share)
    shares[2:] -= scenario.behind
    shared, own = np.sqrt(scenario.likeness), np.sqrt(1 - scenario.likeness)
    bars = norm.ppf(shares)
    drawn = []
    for _ in range(TASKS):
        difficulty = shared * random.normal(size=ITEMS)
        drawn.append((difficulty + own * random.normal(size=(parents + 1, ITEMS)) < bars) * 1.0)
    return drawn


def _null_claim(discordant: float, random: np.random.Generator) -> MacroEstimate:
    """A merge against one parent that is as good, where this share of items tells them apart."""
    shares = (discordant / 2, discordant / 2, 1 - discordant)
    signs = np.array((1.0, -1.0, 0.0))
    return macro_estimate(
        [
            Stratum(np.repeat(signs, row), binary=True, weight=1 / TASKS)
            for row in random.multinomial(ITEMS, shares, TASKS)
        ]
    )


def _difference(scores: list[Floats], first: int, second: int) -> MacroEstimate:
    return macro_estimate(
        [Stratum(task[first] - task[second], binary=True, weight=1 / TASKS) for task in scores]
    )


def _against_best(scores: list[Floats]) -> AgainstBest:
    parents = range(1, scores[0].shape[0])
    differences = [_difference(scores, 0, parent) for parent in parents]
    best = min(parents, key=lambda parent: differences[parent - 1].delta)
    gaps = [_difference(scores, best, parent) for parent in parents]
    found = contenders(gaps, TASKS * ITEMS)
    pairs = [
        correlation(
            differences[first], differences[second], _difference(scores, first + 1, second + 1)
        )
        for place, first in enumerate(found)
        for second in found[:place]
    ]
    mean = float(np.mean(pairs)) if pairs else 0.0
    return AgainstBest(differences=differences, contenders=found, correlation=round(mean, 3))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
