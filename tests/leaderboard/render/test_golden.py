from __future__ import annotations

import pytest

from tests.leaderboard.golden import FOLDER, GOLDEN


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_the_look_has_not_changed_unseen(name: str) -> None:
    assert GOLDEN[name]() == (FOLDER / name).read_text("utf-8")


def test_no_example_is_left_over() -> None:
    kept = {
        path.name
        for path in FOLDER.iterdir()
        if path.suffix in {".md", ".svg", ".html", ".txt", ".csv"}
    }
    assert kept == set(GOLDEN)
