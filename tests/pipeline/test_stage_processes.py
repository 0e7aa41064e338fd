"""A journey stage by stage, each in a process of its own that is killed at the boundary."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bot.pipeline.run_folder import RunFolder, StageTools
from bot.pipeline.run_log import LOG_FILE
from bot.pipeline.run_recipe import RunOptions, prepare_run
from bot.pipeline.run_stages import run_stages
from bot.pipeline.workspace import Workspace
from bot.recipe.load_recipe import load_recipe
from leaderboard.record import Record, dump_record
from tests.pipeline.conftest import ENGINE, NOW, Journey

STAGES = (
    "resolve", "plan", "preflight", "merge", "check", "evaluate", "compare", "record", "card",
)  # fmt: skip
ROOT = Path(__file__).parent.parent.parent
RUN = """
import sys
from pathlib import Path
from bot.pipeline.run_folder import RunFolder, StageTools
from bot.pipeline.run_stages import run_stages
run_stages(RunFolder(Path(sys.argv[1]), StageTools(clock=lambda: float(sys.argv[2]))), sys.argv[3:])
"""
FORK = """
import sys, threading
from pathlib import Path
from bot.pipeline.run_folder import StageTools
from bot.pipeline.run_stages import import_for_stages, run_stages_forked
import_for_stages()
assert threading.active_count() == 1
tools = StageTools(clock=lambda: float(sys.argv[2]))
print(run_stages_forked(Path(sys.argv[1]), sys.argv[3:], tools))
print(run_stages_forked(Path(sys.argv[1]), ["merge"], tools))
assert not {"torch", "transformers", "lm_eval"} & set(sys.modules)
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "TOKEN" not in name}
    return {**kept, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", **more}


def prepared(journey: Journey, workspace: Path) -> Path:
    """The journey's run before its first stage, in another workspace."""
    options = RunOptions(suites=(journey.suite,), engine=ENGINE)
    return prepare_run(load_recipe(journey.recipe), Workspace(workspace), options)


def logged(folder: Path, kind: str) -> list[str]:
    """The stages that the log has lines of this kind about."""
    log = folder / LOG_FILE
    lines = log.read_text().splitlines() if log.is_file() else []
    return [row["stage"] for row in map(json.loads, lines) if row["kind"] == kind]


def run_until_killed(folder: Path, stages: tuple[str, ...]) -> None:
    """Run stages in a process, and kill it when the first of them is done and the next begins."""
    command = [sys.executable, "-c", RUN, str(folder), str(NOW), *stages]
    with subprocess.Popen(command, env=environment(), start_new_session=True) as process:
        while process.poll() is None:
            if stages[0] in logged(folder, "done") and stages[1] in logged(folder, "begin-stage"):
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.005)
    assert process.returncode in {0, -signal.SIGKILL}


def plain(record: Record) -> dict[str, object]:
    """A record without what differs in another workspace: time, memory, the log of attempts."""
    content: dict[str, Any] = json.loads(dump_record(record))
    return content | {"engine": None, "attempts": content["attempts"] | {"log": None}}


@pytest.mark.heavy
def test_stages_that_are_killed_at_every_boundary_end_in_the_same_bytes(
    journey: Journey, tmp_path: Path
) -> None:
    folder = prepared(journey, tmp_path / "workspace")
    for number, _ in enumerate(STAGES[:-1]):
        run_until_killed(folder, STAGES[number:])
        assert STAGES[number] in logged(folder, "done")
    run = RunFolder(folder, StageTools(clock=lambda: NOW))
    run_stages(run, STAGES)
    whole = journey.result
    names = sorted(path.name for path in whole.model.iterdir())
    assert sorted(path.name for path in run.model.iterdir()) == names
    for name in names:
        if name != "README.md":  # the card says how long the merge took
            assert (run.model / name).read_bytes() == (whole.model / name).read_bytes(), name
    (record,) = run.board.load().records
    assert plain(record) == plain(whole.record)
    assert without_times(run.model / "README.md") == without_times(whole.card)


def without_times(card: Path) -> list[str]:
    return [line for line in card.read_text().splitlines() if "peak memory" not in line.lower()]


@pytest.mark.heavy
def test_a_forked_child_ends_in_the_same_bytes(journey: Journey, tmp_path: Path) -> None:
    folder = prepared(journey, tmp_path / "workspace")
    command = [sys.executable, "-c", FORK, str(folder), str(NOW), "resolve", "plan", "merge"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["0", "0"]), done.stderr
    run = RunFolder(folder)
    for name in ("model.safetensors", "config.json", "recipe.lock.json", "digests.json"):
        assert (run.model / name).read_bytes() == (journey.result.model / name).read_bytes(), name


@pytest.mark.heavy
def test_a_forked_child_gives_the_exit_code_of_its_failure(
    journey: Journey, tmp_path: Path
) -> None:
    folder = prepared(journey, tmp_path / "workspace")
    shutil.rmtree(folder.parent.parent / "merges", ignore_errors=True)
    command = [sys.executable, "-c", FORK, str(folder), str(NOW), "compare"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["16", "16"], done.stderr  # neither can know its parents
    assert logged(folder, "error") == ["compare", "merge"]


@pytest.mark.parametrize(
    ("more", "setup", "says"),
    [
        ({"HF_TOKEN": "hf_secret"}, "", "holds HF_TOKEN"),
        ({}, "threading.Thread(target=threading.Event().wait, daemon=True).start();", "threads"),
    ],
)
def test_a_process_with_a_token_or_threads_forks_nothing(
    more: dict[str, str], setup: str, says: str, tmp_path: Path
) -> None:
    code = (
        f"import threading; {setup}"
        "from pathlib import Path; from bot.errors import EnvironmentMissingError;"
        "from bot.pipeline.run_stages import run_stages_forked\n"
        "try:\n    run_stages_forked(Path('.'), ['merge'])\n"
        "except EnvironmentMissingError as refused:\n    print(refused.message)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(**more), capture_output=True, text=True,
        check=False, cwd=tmp_path,
    )  # fmt: skip
    assert says in done.stdout, done.stderr
