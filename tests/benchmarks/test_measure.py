"""Whole processes are measured as the kernel sees them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.measure import io_floor, run, take_turns, under_limit

ALLOCATE = "import time; held = b'x' * 200_000_000; time.sleep(0.3)"
IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ALLOCATE!r}])"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("code", [ALLOCATE, IN_A_CHILD], ids=["itself", "in a child"])
def test_memory_of_a_command_is_seen(tmp_path: Path, code: str) -> None:
    found = run(python(code), tmp_path / "out")
    assert 200_000_000 < found.anonymous < 260_000_000
    assert found.resident > found.anonymous
    assert found.seconds > 0.3


def test_a_failure_carries_what_was_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 3:\nno such luck"):
        run(python("print('no such luck'); raise SystemExit(3)"), tmp_path / "out")


def test_what_was_left_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    run(python("import os; os.mkdir('out')"), out)
    assert list(out.iterdir()) == []


def test_the_limit_holds(tmp_path: Path) -> None:
    run(under_limit(python(ALLOCATE), 400_000_000), tmp_path / "out")
    with pytest.raises(RuntimeError, match="MemoryError"):
        run(under_limit(python(ALLOCATE), 100_000_000), tmp_path / "out")


def test_tools_take_turns_and_the_fastest_run_counts(tmp_path: Path) -> None:
    note = "import time; open('turns', 'a').write('{}'); time.sleep({})"
    slow, fast, other = (python(note.format(*one)) for one in [("s", 0.2), ("f", 0), ("o", 0)])
    tools = {"ours": {"": other}, "theirs": {"slow": slow, "fast": fast}}
    found = take_turns(tools, tmp_path / "out", 2, 60)
    assert (tmp_path / "turns").read_text() == "osfosf"
    assert (found["theirs"].option, found["theirs"].runs) == ("fast", 4)
    assert found["theirs"].seconds < 0.2
    assert found["ours"].runs == 2


def test_a_slow_tool_runs_once(tmp_path: Path) -> None:
    found = take_turns(
        {"theirs": {"default": python("pass"), "async": python("pass")}}, tmp_path / "out", 3, 0
    )
    assert (found["theirs"].option, found["theirs"].runs) == ("default", 1)


def test_the_floor_writes_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(bytes(1000))
    assert io_floor([tmp_path / "model"], tmp_path / "out", 9 << 20) > 0
    assert (tmp_path / "out" / "floor.bin").stat().st_size == 9 << 20


def test_a_tool_runs_with_its_modules_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    run(python("import sys; assert not sys.dont_write_bytecode"), tmp_path / "out")
