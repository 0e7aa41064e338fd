"""GitHub's page for a new file, with the recipe already in it: needs no token of ours."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

LONGEST = 7_000
"""Characters; longer addresses are refused by servers on the way."""
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


def new_file_link(repository: str, path: str, text: str, *, branch: str = "main") -> str | None:
    """The address that opens a new file with this content; None where it would be too long.

    Raises:
        ValueError: ``repository`` is not ``owner/name``.
    """
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(f"{repository!r} is not a GitHub repository: write owner/name")
    folder, _, name = path.rpartition("/")
    query = urlencode({"filename": name, "value": text}, quote_via=quote)
    address = f"https://github.com/{repository}/new/{quote(branch)}/{quote(folder)}?{query}"
    return address if len(address) <= LONGEST else None
