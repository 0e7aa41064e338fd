from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import Problem
from bot.recipe.render_problems import render_problem, render_problems, with_excerpts
from tests.recipe.support import problems


def test_a_typing_mistake_as_people_see_it() -> None:
    found = problems(
        "merge_method: linear\nmodels:\n  - model: a/b\n    parameters:\n      wieght: 0.4\n"
    )
    assert render_problems(found) == (
        "error: r.yaml:5:7: `wieght` is not a parameter of linear\n"
        "  5 |       wieght: 0.4\n"
        "    |       ^^^^^^\n"
        "hint: did you mean `weight`?  parameters: weight, normalize"
    )


def test_several_are_set_apart_by_blank_lines() -> None:
    shown = render_problems([Problem(message="one"), Problem(message="two", file="f")])
    assert shown == "error: one\n\nerror: f: two"


def test_other_labels() -> None:
    assert render_problem(Problem(message="m"), label="warning") == "warning: m"


def show(line: str, column: int) -> list[str]:
    problem = Problem(message="m", file="f", line=12, column=column, excerpt=line)
    return render_problem(problem).split("\n")[1:]


def test_the_caret_covers_the_word() -> None:
    assert show('a: "b c", d', 4) == ['  12 | a: "b c", d', "     |    ^^^^^"]
    assert show("t: [1, 22]", 8) == ["  12 | t: [1, 22]", "     |        ^^"]
    assert show("m: org/name@rev # x", 4)[1] == "     |    ^^^^^^^^^^^^"
    assert show("u: https://x.y/z", 4)[1] == "     |    ^^^^^^^^^^^^^"


def test_the_caret_at_the_end_of_a_line_and_on_an_empty_one() -> None:
    assert show("a:", 3) == ["  12 | a:", "     |   ^"]
    assert show("", 1) == ["  12 |", "     | ^"]


def test_wide_characters_and_tabs_keep_the_caret_below_its_word() -> None:
    assert show("名: x", 4)[1] == "     |     ^"
    assert show("\tab", 2) == ["  12 |  ab", "     |  ^^"]


def test_hidden_characters_are_made_visible() -> None:
    assert show("a\u202eb\x1b[31m", 2)[0] == "  12 | a\ufffdb\ufffd[31m"


def test_a_long_line_is_cut_around_the_place() -> None:
    line, caret = show("x" * 300 + " bad " + "y" * 300, 302)
    assert len(line) < 110
    assert line.index("bad") == caret.index("^")
    assert caret.count("^") == 3
    assert "…" in line


def test_excerpts_are_lines_of_the_text() -> None:
    given_problems = [
        Problem(message="m", line=2),
        Problem(message="m", line=9),
        Problem(message="m"),
    ]
    found = with_excerpts(given_problems, "one\r\ntwo\r\n")
    assert [problem.excerpt for problem in found] == ["two", None, None]


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(1, 400))
def test_any_line_at_any_column(line: str, column: int) -> None:
    line = line.replace("\n", "")
    problem = Problem(message="m", line=1, column=column, excerpt=line)
    rows = render_problem(problem).split("\n")
    assert len(rows) == 3
    assert "^" in rows[2]
