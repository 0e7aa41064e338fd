"""A runner's workspace without a runner: repositories, and the workflow's own ``run:`` steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github/workflows/validate.yml"
NEEDS_A_NETWORK = "install"
"""The step that is replaced: it makes ``venv/bin/mergebot`` from the package index."""


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@dataclass
class Workspace:
    """The folder in which steps run; ``proposed`` is the checkout of a pull request's merge."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        program = self.folder / "venv" / "bin" / "mergebot"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot "$@"\n')
        program.chmod(0o755)
        self.proposed.mkdir()
        git(self.proposed, "init", "-q", "-b", "main")
        (self.proposed / "README.md").write_text("hello\n")
        self.commit("base")

    @property
    def proposed(self) -> Path:
        return self.folder / "proposed"

    @property
    def summary(self) -> str:
        path = self.folder / "summary.md"
        return path.read_text("utf-8") if path.exists() else ""

    def commit(self, message: str) -> str:
        git(self.proposed, "add", "-A")
        git(self.proposed, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.proposed, "rev-parse", "HEAD")

    def propose(self, files: Mapping[str, str | bytes], *, gone: tuple[str, ...] = ()) -> None:
        """Merge a branch with these files, as GitHub does for a pull request."""
        git(self.proposed, "checkout", "-q", "-b", "theirs")
        self.write(files)
        for path in gone:
            (self.proposed / path).unlink()
        self.commit("theirs")
        git(self.proposed, "checkout", "-q", "main")
        git(self.proposed, "merge", "-q", "--no-ff", "-m", "merge", "theirs")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            target = self.proposed / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def run(self, *, base: str = "HEAD^1", alone: bool = True) -> tuple[bool, str]:
        """Run the steps as written, in order; whether all passed, and what they printed."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder / "home"),
            "BASE": base,
            "ALONE": str(alone).lower(),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            **self.environment,
        }
        passed, printed = True, ""
        for step in steps():
            if step["name"] == NEEDS_A_NETWORK or not _applies(step, environment, passed=passed):
                continue
            done = subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            printed += done.stdout
            passed = passed and done.returncode == 0
        return passed, printed


def workflow() -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    return loaded


def steps() -> list[dict[str, Any]]:
    """The steps that run a script."""
    return [step for step in workflow()["jobs"]["recipes"]["steps"] if "run" in step]


def _applies(step: Mapping[str, Any], environment: Mapping[str, str], *, passed: bool) -> bool:
    """GitHub's rule for the conditions that this workflow uses."""
    condition = step.get("if")
    if condition == "always()":
        return True
    if condition is None:
        return passed
    named = re.fullmatch(r"env\.(\w+) == '(\w+)'", condition)
    assert named, f"the tests do not know the condition {condition!r}"
    return passed and environment[named[1]] == named[2]
