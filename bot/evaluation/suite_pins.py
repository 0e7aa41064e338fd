"""Files of pins: which commit of each dataset on the Hub a suite reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bot.checkpoint.disk import write_atomic
from bot.errors import EvaluationError
from leaderboard.versioned_json import JsonFormat

PINS = JsonFormat(name="mergebot.dataset-pins", version=1, error=EvaluationError)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def pins_beside(suite_file: Path) -> Path:
    """The file of pins that belongs to a suite's file."""
    return suite_file.with_suffix(".pins.json")


def read_pins(path: Path) -> Mapping[str, str]:
    """The commit of each dataset by its id; empty where there is no such file.

    Raises:
        EvaluationError: the file is broken.
    """
    if not path.is_file():
        return {}
    found = PINS.parse(path.read_bytes(), where=str(path)).get("commits")
    if not isinstance(found, dict) or not all(
        isinstance(commit, str) and _COMMIT.fullmatch(commit) for commit in found.values()
    ):
        raise EvaluationError(
            f"{path} does not give one commit of 40 hex digits for each dataset",
            hint=f"remove {path} and pin the suite again",
        )
    return found


def write_pins(path: Path, commits: Mapping[str, str]) -> None:
    """Write a file of pins in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, PINS.dump({"commits": dict(commits)}).encode())
