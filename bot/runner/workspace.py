"""Where a run keeps what it makes: one folder, named by keys, safe to delete piece by piece."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import write_atomic

SHORT = 16
"""Characters of a key in a folder's name; the whole key stands in the files inside."""


@dataclass(frozen=True)
class Workspace:
    """``merges/<merge_key>/``, ``evaluations/<eval_key>/``, ``runs/<run_key>/``, ``board/``."""

    root: Path

    def merge(self, merge_key: str) -> Path:
        """Everything that exists once per merge: lock, plan, model, checks."""
        return self.root / "merges" / merge_key[:SHORT]

    def run(self, run_key: str) -> Path:
        """What one choice of suites found about a merge."""
        return self.root / "runs" / run_key[:SHORT]

    @property
    def evaluations(self) -> Path:
        """Scores by evaluation key, parents' and merges' alike."""
        return self.root / "evaluations"

    @property
    def board(self) -> Path:
        """The board's folder; records lie in ``records/``."""
        return self.root / "board"


def write_json(path: Path, content: Any) -> None:
    """Leave a JSON document under its name in one step; written last, it ends a stage."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_atomic(path, text.encode())


def read_json(path: Path) -> Mapping[str, Any] | None:
    """A stage's document, or None when the stage has not ended (or the file was torn by hand)."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
