"""The packaged suites' real task definitions, end to end on small files of the real schemas."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import EnvironmentMissingError, EvaluationError
from bot.evaluation import Child, Settings, Suite, evaluate_model, suite
from tests.evaluation.conftest import CHILD
from tests.evaluation.small_datasets import frozen, sentence_splitter


def shortened(full: Suite, tokens: int = 8) -> Suite:
    """The same tasks with short answers, since a random model never stops by itself."""
    tasks = tuple(
        task.model_copy(update={"max_gen_toks": tokens}) if task.max_gen_toks else task
        for task in full.tasks
    )
    update = {"tasks": tasks, "dtype": "float32", "threads": 1}
    return replace(full, data=full.data.model_copy(update=update))


@pytest.fixture(scope="session")
def child(folder: Path) -> Child:
    splitter = sentence_splitter(folder / "nltk_data")
    return Child(environ={**CHILD.environ, "NLTK_DATA": str(splitter)})


def test_quick_runs_on_frozen_copies(plain: Path, child: Child, tmp_path: Path) -> None:
    quick = shortened(frozen(suite("quick"), tmp_path / "datasets"))
    found = evaluate_model(plain, "1" * 64, quick, Settings.of(quick), tmp_path, child=child)
    sizes = {name: len(scores) for name, scores in found.task_scores.items()}
    assert sizes == {"ifeval": 3, "gsm8k": 4, "arc_challenge": 5, "leaderboard_mmlu_pro": 12}
    # A random model writes no comma in eight characters, most likely, and never three sentences.
    assert found.task_scores["ifeval"].scores.tolist()[1:] == [0.0, 0.0]
    assert found.task_scores["gsm8k"].capped is not None


@pytest.mark.slow
def test_the_open_llm_leaderboard_runs_on_frozen_copies(
    plain: Path, child: Child, tmp_path: Path
) -> None:
    board = shortened(frozen(suite("open-llm-leaderboard-v2"), tmp_path / "datasets"))
    board = replace(board, data=board.data.model_copy(update={"max_length": 8192}))
    stores = [tmp_path / "one", tmp_path / "two"]
    first, second = (
        evaluate_model(plain, "1" * 64, board, Settings.of(board), store, child=child)
        for store in stores
    )
    sizes = {name: len(scores) for name, scores in first.task_scores.items()}
    assert sizes["leaderboard_math_algebra_hard"] == 2, "only level 5 counts"
    assert sizes["leaderboard_gpqa_main"] == 6
    assert {sizes[name] for name in sizes if "_bbh_" in name} == {3}
    clusters = first.task_scores["leaderboard_musr_murder_mysteries"].clusters
    assert clusters is not None
    assert len(set(clusters)) == 2
    # GPQA shuffles its choices while it loads: another machine must get the same items.
    assert first.task_scores == second.task_scores


def test_without_a_network_it_says_what_it_would_fetch(
    plain: Path, child: Child, tmp_path: Path
) -> None:
    home = {**child.environ, "HF_HUB_CACHE": str(tmp_path / "nothing"), "HF_HUB_OFFLINE": "1"}
    offline = replace(child, environ=home)
    with pytest.raises(EvaluationError) as caught:
        evaluate_model(
            plain, "1" * 64, suite("quick"), Settings.of(suite("quick")), tmp_path, child=offline
        )
    for repo in ("google/IFEval", "openai/gsm8k", "allenai/ai2_arc", "TIGER-Lab/MMLU-Pro"):
        assert repo in caught.value.message
    assert "Traceback" not in caught.value.message
    assert caught.value.hint


def test_missing_language_data_are_named(plain: Path, tmp_path: Path) -> None:
    quick = frozen(suite("quick"), tmp_path / "datasets")
    bare = Child(environ={**os.environ, "NLTK_DATA": str(tmp_path / "nothing")})
    with pytest.raises(EnvironmentMissingError, match="punkt_tab") as caught:
        evaluate_model(plain, "1" * 64, quick, Settings.of(quick), tmp_path, child=bare)
    assert "nltk.downloader" in (caught.value.hint or "")
