"""``mergebot suites``: lists, shows and pins suites."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.evaluation import suite_names
from tests.cli.commands import run


def test_all_suites_are_listed_and_one_is_shown_with_its_datasets() -> None:
    listed = run("suites", "--json").json()
    assert tuple(entry["name"] for entry in listed) == suite_names()
    shown = run("suites", "quick")
    assert "google/IFEval (not pinned)" in shown.out
    assert "digest" not in run("suites", "quick", "--json").json()
    assert len(run("suites", "skills", "--json").json()["digest"]) == 64


def test_a_suite_over_local_files_has_nothing_to_pin(tmp_path: Path) -> None:
    done = run("suites", "pin", "skills", "--workspace", tmp_path)
    assert done.code == 0
    assert "nothing to pin" in done.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("pin",), ("quick", "skills")])
def test_other_words_are_a_mistake_of_usage(words: tuple[str, ...]) -> None:
    done = run("suites", *words)
    assert done.code == 2
    assert "mergebot suites pin NAME" in done.err
