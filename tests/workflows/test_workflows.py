"""The workflows: valid, pinned, and without a way from a pull request to a secret."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parent.parent.parent / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")
FROM_STRANGERS = re.compile(
    r"\$\{\{\s*github\.(event\.(pull_request\.(title|body|head)|issue|comment)|head_ref)"
)


def loaded(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def test_there_are_workflows() -> None:
    assert {path.stem for path in WORKFLOWS} >= {"test", "validate"}


def test_workflows_fit_their_schema() -> None:
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows",
         *map(str, WORKFLOWS)],
        check=True,
    )  # fmt: skip


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_pull_request_reaches_no_secret(path: Path) -> None:
    workflow, text = loaded(path), path.read_text("utf-8")
    assert workflow["permissions"] == {}
    events = workflow[True]
    assert "pull_request_target" not in events
    assert "self-hosted" not in text
    if "pull_request" in events:
        assert "secrets." not in text
        assert "id-token" not in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_jobs_end(path: Path) -> None:
    for job in loaded(path)["jobs"].values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if "uses" in step:
                assert PINNED.match(step["uses"])
                assert step["with"]["persist-credentials"] is False
            assert not FROM_STRANGERS.search(step.get("run", ""))
