"""Which protections an isolated process has on this machine, as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Protection:
    """The measures that took hold in one process.

    ``network`` is how the network was cut off: by a namespace of its own, by a filter on system
    calls, not at all ("open"), or not meant to be ("allowed"). ``files`` says whether only the
    listed paths can be opened. ``user`` is "nobody" where root was left, "root" where it was not,
    "unchanged" for an ordinary user. ``limits`` says whether resources are limited.
    """

    network: Literal["namespace", "filter", "open", "allowed"] = "open"
    files: Literal["landlock", "open"] = "open"
    user: Literal["nobody", "root", "unchanged"] = "unchanged"
    limits: Literal["set", "none"] = "none"

    @classmethod
    def from_json(cls, text: bytes) -> Protection:
        """What the launcher reported; nothing reported means no protection."""
        return cls(**json.loads(text)) if text else cls()

    @property
    def gaps(self) -> tuple[str, ...]:
        """One sentence for each protection that is missing here."""
        found = []
        if self.network == "open":
            found.append("this system lets an untrusted model reach the network")
        if self.files == "open":
            found.append("this system lets an untrusted model read every file of this user")
        if self.user == "root":
            found.append(
                "untrusted models run as root, because another user cannot read the files they need"
            )
        if self.limits == "none":
            found.append("this system does not limit memory, files and processor time")
        return tuple(found)
