"""The log of a run says why it failed, to anyone who reads it later, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import NonFiniteError
from bot.events import Event, silent
from bot.pipeline.run_log import LOG_FILE, RunLog
from bot.pipeline.run_stages import stage_named
from bot.pipeline.workspace import Workspace
from tests.evaluation.conftest import load_mini
from tests.pipeline.conftest import Journey, travel, write_models

SECRET = "hf_" + "a" * 34


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]


def test_it_begins_with_its_format_and_the_machine(tmp_path: Path) -> None:
    RunLog(tmp_path, clock=lambda: 1_800_000_000.0).write("note", item="hello")
    begin, note = lines(tmp_path)
    assert (begin["format"], begin["version"], begin["kind"]) == ("mergebot.log", 1, "begin")
    assert begin["versions"]["mergebot"]
    assert begin["free_bytes"] > 0
    assert note["time"] == "2027-01-15T08:00:00Z"
    assert note["item"] == "hello"


def test_events_are_logged_but_advances_are_not(tmp_path: Path) -> None:
    seen: list[Event] = []
    report = RunLog(tmp_path).reporting(seen.append)
    events = [Event("merge", kind, "bytes", 1, 2, "x") for kind in ("start", "advance", "end")]
    for event in events:
        report(event)
    assert seen == events
    assert [line["kind"] for line in lines(tmp_path)[1:]] == ["start", "end"]


def test_no_secret_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "a plain looking secret")
    log = RunLog(tmp_path)
    log.write("note", item=f"token {SECRET}", deep=[{"x": "a plain looking secret"}])
    log.failure("merge", RuntimeError(f"401 for Bearer {SECRET}"))
    text = (tmp_path / LOG_FILE).read_text()
    assert SECRET not in text
    assert "plain looking" not in text
    assert "redacted" in text


def test_an_unexpected_error_leaves_its_traceback(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    try:
        print(1 / 0)
    except ZeroDivisionError as error:
        log.failure("plan", error)
    (line,) = [line for line in lines(tmp_path) if line["kind"] == "error"]
    assert (line["stage"], line["error"]) == ("plan", "ZeroDivisionError")
    assert line["message"] == "division by zero"
    assert "test_run_log.py" in line["traceback"]


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / LOG_FILE).mkdir()
    RunLog(tmp_path).write("note", item="x")
    assert (tmp_path / LOG_FILE).is_dir()


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    recipe = write_models(tmp_path)
    recipe.write_text(recipe.read_text().replace("0.25", "1.0e+9").replace("float32", "float16"))
    workspace = Workspace(tmp_path / "workspace")
    with pytest.raises(NonFiniteError) as failed:
        travel(recipe, workspace, load_mini(tmp_path / "mini"), silent)
    (folder,) = workspace.root.glob("runs/*")
    (error,) = [line for line in lines(folder) if line["kind"] == "error"]
    assert (error["stage"], error["error"]) == ("merge", "NonFiniteError")
    assert (error["message"], error["hint"]) == (failed.value.message, failed.value.hint)
    assert "traceback" not in error
    stages = [line["stage"] for line in lines(folder) if line["kind"] == "begin-stage"]
    assert stages == ["resolve", "plan", "preflight", "merge"]


@pytest.mark.heavy
def test_a_journey_is_logged_from_end_to_end(journey: Journey) -> None:
    (folder,) = [path.parent for path in journey.workspace.root.glob(f"runs/*/{LOG_FILE}")]
    ended = [line["stage"] for line in lines(folder) if line["kind"] == "done"]
    assert ended[-10:-1] == [
        "resolve", "plan", "preflight", "merge", "check", "evaluate", "compare", "record", "card",
    ]  # fmt: skip
    assert sum(line["kind"] == "error" for line in lines(folder)) == journey.stopped


@pytest.mark.heavy
def test_a_stage_reports_only_the_events_it_names(journey: Journey) -> None:
    (folder,) = [path.parent for path in journey.workspace.root.glob(f"runs/*/{LOG_FILE}")]
    running, seen = "", dict[str, set[str]]()
    for line in lines(folder):
        if line["kind"] == "begin-stage":
            running = line["stage"]
        elif line["kind"] in {"start", "end", "note"}:
            seen.setdefault(running, set()).add(line["stage"])
    assert seen["merge"] == {"merge"}
    assert seen["evaluate"] == {"evaluate"}
    for stage, said in seen.items():
        assert said <= set(stage_named(stage).events)
