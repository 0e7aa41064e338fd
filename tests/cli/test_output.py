"""What the one object that prints does with flags and narrow terminals."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bot.cli.output import Output
from tests.cli.commands import run
from tests.families import write_family


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [20, 50, 80])
def test_a_narrow_terminal_cuts_no_number(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    out = Output(color=False, stdout=stream, stderr=stream)
    header = ["layer", "module", "tensors", "moved", "cosine", "sign conflict", "slerp is lerp"]
    row = ["31", "model.layers.12.mlp", "1,234", "100.1 %", "-0.014", "49.9 %", "87.65 %"]
    out.result(None, out.table([row], header, right=[0, 2, 3, 4, 5, 6]))
    out.note_table(out.table([row], header, right=[0, 2, 3, 4, 5, 6]))
    for number in (row[0], *row[2:]):
        assert stream.getvalue().count(number) == 2
    assert all(word in stream.getvalue() for name in header for word in name.split())


def test_quiet_json_shows_no_progress(tmp_path: Path) -> None:
    recipe = write_family(tmp_path)
    loud = run("merge", recipe, tmp_path / "loud", "--json")
    assert "merge" in loud.err
    for number, flag in enumerate(["-q", "--quiet"]):
        quiet = run("merge", recipe, tmp_path / f"quiet-{number}", "--json", flag)
        assert quiet.err == ""
        assert quiet.json()["tensors"] == loud.json()["tensors"]
