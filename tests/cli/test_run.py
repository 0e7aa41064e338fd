"""What `mergebot run` tells a program."""

from __future__ import annotations

from pathlib import Path

from bot.cli.run import run_data
from bot.pipeline.run_recipe import RunResult
from bot.pipeline.run_sweep import SweepResult, VariantScore
from tests.leaderboard.samples import record_of

RUN = RunResult(record=record_of(), model=Path("model"), card=Path("card"), fresh=True)


def test_a_sweep_tells_its_trials_and_which_was_chosen() -> None:
    trials = (
        VariantScore(label="weight=0.3", score=0.5),
        VariantScore(label="weight=1000.0", score=None),
    )
    swept = SweepResult(trials=trials, chosen="weight=0.3", run=RUN)
    assert run_data(RUN, swept)["sweep"] == {
        "chosen": "weight=0.3",
        "trials": [
            {"label": "weight=0.3", "score": 0.5, "passed": True},
            {"label": "weight=1000.0", "score": None, "passed": False},
        ],
    }


def test_a_recipe_that_is_no_sweep_has_none() -> None:
    assert "sweep" not in run_data(RUN)
