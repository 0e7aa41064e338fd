"""The count of the specification's numbered checks that have a test, and which have none."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.space.covering import CHECKS

HERE = Path(__file__).parent
TESTS = HERE.parent

DRAWINGS = "leaderboard/render/test_drawings.py::"
ELSEWHERE = {
    "MP2": "leaderboard/test_verdict.py::test_real_scores_speak_for_themselves",
    "MP4": "leaderboard/render/test_pages.py::test_pages_are_accessible_by_structure",
    "MP5": DRAWINGS + "test_boxes_do_not_overlap_and_edges_run_left_to_right",
    "MP6": DRAWINGS + "test_the_list_names_every_ancestor",
}
"""Checks of the shared renderers, which are tested where they live."""
MISSING = {
    "BV4": "there is no Bradley-Terry ranking, only pairs",
    "BV5": "there is no Bradley-Terry ranking, only pairs",
}


def covered() -> dict[str, list[str]]:
    """Check -> the tests marked with it."""
    found: dict[str, list[str]] = {}
    for path in HERE.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "covers":
                    for argument in mark.args:
                        found.setdefault(ast.literal_eval(argument), []).append(node.name)
    return found


def test_every_numbered_check_has_a_test_or_a_reason() -> None:
    here = covered()
    assert not set(here) & set(MISSING)
    words = {**here, **ELSEWHERE, **MISSING}
    assert sorted(set(CHECKS) - set(words)) == []
    tested = len(set(here) | set(ELSEWHERE))
    print(f"\n{tested} of {len(CHECKS)} numbered checks have tests; without: {MISSING}")
    assert tested == len(CHECKS) - len(MISSING)


def test_the_tests_named_elsewhere_exist() -> None:
    for place in ELSEWHERE.values():
        file, name = place.split("::")
        assert f"def {name}(" in (TESTS / file).read_text("utf-8"), place
