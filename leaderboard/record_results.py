"""The parts of a record that say how a model and its parents scored and how they compare.

Scores are fractions from 0 to 1 with higher meaning better, shown times 100. Raw p values per
parent are kept; verdict words, corrections for many claims and ranks are derived elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from leaderboard.record_base import Count, Delta, Fraction, Key, Many, RecordModel, Short

Positive = Annotated[float, Field(gt=0)]
PairedTest = Literal[
    "mcnemar-exact", "sign-flip", "cluster-sign-flip", "stratified-bootstrap", "studentized"
]
NonNegative = Annotated[float, Field(ge=0)]


class Settings(RecordModel):
    """How a suite was run; the same for a merge and all of its parents."""

    backend: Short
    dtype: Short
    device: Short = "cpu"
    batch_size: Annotated[int, Field(ge=1)]
    max_length: Annotated[int, Field(ge=1)] | None = None
    chat_template: bool = False
    seeds: dict[str, int] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1)] | None = None


class Score(RecordModel):
    """A score with its standard error and 95 % interval.

    ``cap_hit_rate`` is the share of generations that ran into the length cap; None where nothing
    is generated.
    """

    value: Fraction
    stderr: NonNegative | None = None
    low: Fraction | None = None
    high: Fraction | None = None
    cap_hit_rate: Fraction | None = None


class Headline(RecordModel):
    """The one number of a suite: the weighted mean over its tasks, normalised where it says so.

    The value may fall below 0 where a task has a chance level and the model is worse than chance.
    """

    value: Annotated[float, Field(ge=-100, le=1)]
    stderr: NonNegative | None = None
    low: float | None = None
    high: float | None = None


class TaskResult(RecordModel):
    """One task: what it measures and what every model scored, by model key.

    ``lower_bound`` is the score of guessing; ``weight`` is the task's share of the headline.
    """

    task: Short
    title: Short
    metric: Short
    n: Annotated[int, Field(ge=1)]
    higher_is_better: bool = True
    lower_bound: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight: Fraction | None = None
    group: Short | None = None
    scores: dict[Key, Score]


class Discordant(RecordModel):
    """Items only one of the two got right: the merge (``b``) or the parent (``c``)."""

    b: Count
    c: Count


class Difference(RecordModel):
    """Merge minus parent, with its 95 % interval, p values and minimum detectable effect.

    ``p_greater`` is against "the merge is not better", ``p_less`` against "it is not worse".
    ``mde`` is the true difference that 80 % of such comparisons would find at 5 % two-sided.
    ``stderr`` is the standard error of ``delta`` and ``df`` its degrees of freedom, both None where
    p does not come from them; ``df`` is None too where the error is known exactly.
    """

    delta: float
    low: float
    high: float
    p_greater: Fraction
    p_less: Fraction
    p_two_sided: Fraction
    n: Annotated[int, Field(ge=1)]
    mde: NonNegative
    test: PairedTest
    clusters: Annotated[int, Field(ge=1)] | None = None
    stderr: NonNegative | None = None
    df: Positive | None = None


class TaskDifference(Difference):
    """The comparison on one task; for right-or-wrong metrics with its discordant items."""

    task: Short
    delta: Delta
    discordant: Discordant | None = None
    prompts_differ: bool = False


class NonInferiority(RecordModel):
    """The test of "not worse than the parent by ``margin`` or more"."""

    margin: Positive
    p: Fraction


class Comparison(RecordModel):
    """The merge against one parent, on every task and over all of them.

    ``cap_gap`` is the largest difference of cap-hit rates over the tasks, None where nothing is
    generated. ``identical`` says that the two are the same model, or answer every item the same.
    """

    parent: Key
    tasks: Many[TaskDifference]
    overall: Difference
    noninferiority: NonInferiority
    cap_gap: Fraction | None = None
    identical: Literal["weights", "answers"] | None = None


class Selection(RecordModel):
    """Which parents may be the best one, and how their differences to the merge are correlated.

    The best parent is chosen by the scores that the merge is then compared on; what is said of that
    comparison has to know how many parents it was chosen from.
    """

    contenders: Many[Key]
    correlation: Fraction


class SuiteResult(RecordModel):
    """Everything one suite found out about the merge and its parents.

    ``datasets`` gives the commit of each dataset that was read from the Hub. ``plain_prompts``
    lists the models that were asked in plain text, for want of a chat template, where the others
    were asked in theirs.
    """

    suite: Short
    version: Short
    digest: Key
    split: Short
    title: Short | None = None
    settings: Settings
    tasks: Many[TaskResult]
    headline: dict[Key, Headline]
    comparisons: Many[Comparison] = ()
    selection: Selection | None = None
    normalised: bool = False
    datasets: dict[Short, Short] = Field(default_factory=dict)
    plain_prompts: Many[Key] = ()
    local: bool = False
    show_samples: bool = False
