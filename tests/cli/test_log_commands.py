"""No line that is printed can be a command of a CI runner, whatever a path or a file name holds."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.error_report import Failure
from bot.cli.log_commands import WithoutLogCommands, inert_lines
from bot.cli.output import Output
from bot.errors import Problem
from bot.events import Event
from tests.cli.commands import run
from tests.families import RECIPE, write_family

HOSTILE = [
    "a\n::add-mask::x",
    "a\n  ::set-output name=x::y",
    "a\n##[error]x",
    "##[add-mask]x",
    "::x",
]


def is_command(text: str) -> bool:
    """As the runner reads a log: lines are trimmed at their beginning."""
    return any(line.lstrip().startswith("::") or "##[" in line for line in re.split("[\r\n]", text))


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_is_printed_is_a_command(name: str) -> None:
    for flags in (Output, lambda **to: Output(json=True, **to)):
        out, err = io.StringIO(), io.StringIO()
        output = flags(stdout=out, stderr=err)
        output.result({"name": name}, name)
        output.result({"name": name}, output.table([[name]], ["name"]))
        output.note(name)
        output.print_error(name)
        output.report(Event("merge", "note", item=name))
        output.fail(Failure(code=3, kind="x", problems=(Problem(message=name),), hint=name))
        assert not is_command(out.getvalue())
        assert not is_command(err.getvalue())


def test_json_stays_the_same_json() -> None:
    for name in HOSTILE:
        out = io.StringIO()
        Output(json=True, stdout=out).result({"name": name}, "")
        assert json.loads(out.getvalue()) == {"name": name}


@given(st.lists(st.text(" \n:#[x", max_size=8), max_size=6))
def test_no_sequence_of_writes_makes_a_command(parts: list[str]) -> None:
    stream = io.StringIO()
    inert = WithoutLogCommands(stream)
    for part in parts:
        inert.write(part + "\n")
    assert not is_command(stream.getvalue())


def test_ordinary_text_is_left_alone() -> None:
    text = "see a::b, C++'s std::vector and ## [x]\n  key: value\n"
    assert inert_lines(text) == text


def test_a_model_path_with_a_line_break_prints_no_command(tmp_path: Path) -> None:
    write_family(tmp_path)
    text = RECIPE.replace("./second", '"./second\\n::add-mask::x\\n##[error]y"')
    (tmp_path / "recipe.yaml").write_text(text)
    for words in (("validate",), ("plan",), ("validate", "--json")):
        told = run(words[0], tmp_path / "recipe.yaml", *words[1:])
        assert told.code != 0
        assert told.code != 70
        assert not is_command(told.out + told.err)
