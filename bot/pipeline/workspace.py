"""The workspace: one folder for merges, evaluations, runs and the board, named by keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.checkpoint.file_digests import FileDigests
from bot.pipeline.json_formats import WORKSPACE, read_document, write_document

SHORT = 16
"""Characters of a key in a folder's name; the whole key stands in the files inside."""

WORKSPACE_FILE = "workspace.json"


@dataclass(frozen=True)
class Workspace:
    """``merges/<merge_key>/``, ``evaluations/<eval_key>/``, ``runs/<request>/``, ``board/``."""

    root: Path

    def merge(self, merge_key: str) -> Path:
        """What exists once per merge: recipe, plan, lock, model and checks."""
        return self.root / "merges" / merge_key[:SHORT]

    def run(self, request_key: str) -> Path:
        """What one run needs and finds: its settings, pins, comparison and log."""
        return self.root / "runs" / request_key[:SHORT]

    def run_lock(self, run_key: str) -> Path:
        """The path that stands for a run's work; two requests of one run key share it."""
        return self.root / "runs" / f"key-{run_key[:SHORT]}"

    @property
    def evaluations(self) -> Path:
        """Scores by evaluation key, of parents and merges alike."""
        return self.root / "evaluations"

    @property
    def board(self) -> Path:
        """The board's folder; records lie in ``records/``."""
        return self.root / "board"

    def digests(self, *, rehash: bool = False) -> FileDigests:
        """The digests of files that were hashed before; ``rehash`` ignores them."""
        return FileDigests(self.root / "digests", rehash=rehash)

    def prepare(self) -> None:
        """Mark the folder as a workspace of this version; one without a mark is taken over.

        A workspace from before marks differs in nothing but single documents, whose readers know
        the older form.

        Raises:
            RecordError: a newer mergebot made the workspace.
            StorageError: the disk refused.
        """
        path = self.root / WORKSPACE_FILE
        if read_document(path, WORKSPACE) is None:
            write_document(path, WORKSPACE, {})

    @property
    def is_marked(self) -> bool:
        """Whether the folder says that it is a workspace."""
        return (self.root / WORKSPACE_FILE).is_file()
