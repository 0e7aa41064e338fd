"""A crowd on a board of ten thousand models: everybody is served, nobody gets an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.space import big_space, crowd


@pytest.mark.slow
def test_fifty_visitors_and_five_chats_at_once_are_all_served(tmp_path: Path) -> None:
    with big_space(tmp_path) as (url, here):
        figures = crowd(url, here)
    print(figures)
    assert figures["chats answered"] == 5
    assert figures["page p95"] < 20


@pytest.mark.slow
def test_a_full_line_answers_with_words(tmp_path: Path) -> None:
    with big_space(tmp_path, 50) as (url, here):
        figures = crowd(url, here, visitors=5, chats=30)
    # Two are answered at a time and twenty wait: the others hear that the line is full.
    assert 22 <= figures["chats answered"] <= 30
