from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.board_errors import IncomparableError
from leaderboard.item_texts import ItemTexts, shortened
from leaderboard.sample_scores import TaskScores, align, load_scores, save_scores


def task(
    scores: Sequence[float] | np.ndarray,
    *,
    name: str = "sort",
    binary: bool = True,
    clusters: tuple[str, ...] | None = None,
    capped: float | None = None,
    ids: Sequence[int] | None = None,
) -> TaskScores:
    ids = tuple(range(len(scores))) if ids is None else tuple(ids)
    return TaskScores(
        task=name,
        metric="exact_match",
        binary=binary,
        doc_ids=ids,
        doc_hashes=tuple(f"d{i}" for i in ids),
        target_hashes=tuple(f"t{i}" for i in ids),
        prompt_hashes=tuple(f"p{i}" for i in ids),
        scores=np.asarray(scores, dtype=np.float64),
        clusters=clusters,
        capped=capped,
    )


@given(st.permutations(range(7)))
def test_alignment_does_not_depend_on_the_order_of_either_side(order: list[int]) -> None:
    left = task([0, 1, 1, 0, 1, 0, 1])
    right = task([float(i % 2) for i in order], ids=order)
    paired = align(left, right)
    assert paired.left.tolist() == [0, 1, 1, 0, 1, 0, 1]
    assert paired.right.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert (align(right, left).differences == -paired.differences).all()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (task([1, 0]), "1 items only in the first"),
        (task([1, 0, 1, 1]), "1 only in the second"),
        (task([1, 0, 1], name="reverse"), "cannot be compared"),
        (task([1, 0.5, 1], binary=False), "cannot be compared"),
        (replace(task([1, 0, 1]), doc_hashes=("d0", "x", "d2")), "1 with another text"),
        (replace(task([1, 0, 1]), target_hashes=("t0", "t1", "x")), "1 with another text"),
        (task([1, 0, 1], clusters=("a", "a", "b")), "3 with another text, answer or cluster"),
    ],
)
def test_what_is_not_the_same_is_refused(other: TaskScores, says: str) -> None:
    if other.task == "sort" and other.binary is False:
        other = replace(other, metric="f1")
    with pytest.raises(IncomparableError, match=says) as caught:
        align(task([1, 0, 1]), other)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("scores", "options", "says"),
    [
        ([], {}, "no items"),
        ([1, float("nan")], {}, "not numbers"),
        ([1, float("inf")], {}, "not numbers"),
        ([1, 0.5], {}, "between 0 and 1"),
        ([1, 1.5], {"binary": False}, "outside 0..1"),
        ([1, 0], {"ids": (3, 3)}, "twice"),
        ([1, 0], {"clusters": ("a",)}, "unequal lengths"),
    ],
)
def test_broken_scores_are_never_made(
    scores: Sequence[float], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(IncomparableError, match=says):
        task(scores, **options)


def test_differing_prompts_are_counted_not_refused() -> None:
    other = replace(task([1, 0, 1]), prompt_hashes=("p0", "x", "y"))
    assert align(task([1, 1, 1]), other).prompts_differ == 2


def test_clusters_become_integers_in_item_order() -> None:
    left = task([1, 0, 1], clusters=("b", "a", "b"))
    codes = align(left, left).clusters
    assert codes is not None
    assert codes[0] == codes[2] != codes[1]


def test_scores_survive_parquet_and_json(tmp_path: Path) -> None:
    scores = {
        "sort": task([1, 0, 1], capped=0.25),
        "story": task([0.1, 0.2], name="story", binary=False, clusters=("s1", "s2")),
    }
    save_scores(scores, tmp_path / "scores.parquet")
    assert load_scores(tmp_path / "scores.parquet") == scores
    assert TaskScores.from_dict(scores["story"].as_dict()) == scores["story"]


TEXTS = ItemTexts(questions=("q0", "q1", "q2"), expected=("a", "b", "c"), answers=("a", "x", ""))


def test_items_in_words_survive_beside_tasks_that_keep_theirs(tmp_path: Path) -> None:
    scores = {"sort": replace(task([1, 0, 0]), texts=TEXTS), "story": task([1, 0], name="story")}
    save_scores(scores, tmp_path / "scores.parquet")
    assert load_scores(tmp_path / "scores.parquet") == scores
    assert TaskScores.from_dict(scores["sort"].as_dict()) == scores["sort"]
    assert (align(scores["sort"], task([0, 0, 0])).differences == [1, 0, 0]).all()


def test_files_from_before_there_were_texts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    save_scores({"sort": replace(task([1, 0, 0]), texts=TEXTS)}, path)
    pq.write_table(pq.read_table(path).drop_columns(["questions", "expected", "answers"]), path)
    assert load_scores(path) == {"sort": task([1, 0, 0])}
    assert "texts" not in task([1, 0, 0]).as_dict()


def test_texts_of_another_length_or_form_are_refused() -> None:
    with pytest.raises(IncomparableError, match="unequal lengths"):
        replace(task([1, 0]), texts=TEXTS)
    unreadable: tuple[object, ...] = ({"questions": []}, ["q0"], 3)
    for broken in unreadable:
        with pytest.raises(IncomparableError, match="not per-sample scores"):
            TaskScores.from_dict({**task([1, 0]).as_dict(), "texts": broken})


@given(st.text(max_size=900), st.integers(20, 400))
def test_shortened_texts_keep_both_ends(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= most
    assert short == text.strip() or (text.strip()[:5] in short and text.strip()[-5:] in short)


def test_a_strange_file_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    path.write_text("no parquet")
    with pytest.raises(IncomparableError, match=r"scores\.parquet does not hold"):
        load_scores(path)
    with pytest.raises(IncomparableError, match="not per-sample scores"):
        TaskScores.from_dict({"task": "sort"})


def test_scores_cannot_be_changed_after_the_fact() -> None:
    with pytest.raises(ValueError, match="read-only"):
        task([1, 0]).scores[0] = 0
