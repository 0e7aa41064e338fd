"""A local checkpoint identified by file names, sizes and times instead of a hash of its bytes.

This suffices to plan and to resume a merge; it proves nothing.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property

from bot.checkpoint.folder_source import FolderSource, readable


class UnhashedFolder(FolderSource):
    """A local checkpoint that is not hashed, for plans and for merges that leave no lock."""

    @cached_property
    def id(self) -> str:
        """A digest of the header and of each file's size and time of change; reads no weights.

        Files that no merge reads are left out, so that a changed card discards no partial merge.
        """
        with readable(self.path):
            files = sorted(
                (entry.name, entry.stat().st_size, entry.stat().st_mtime_ns)
                for entry in self.path.iterdir()
                if entry.is_file() and _counts(entry.name)
            )
        specs = [[name, spec.dtype, list(spec.shape)] for name, spec in self.tensors().items()]
        text = json.dumps([files, specs])
        return "unpinned-" + hashlib.sha256(text.encode()).hexdigest()


def _counts(name: str) -> bool:
    return not name.startswith(".") and not name.lower().endswith(".md")
