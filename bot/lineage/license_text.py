"""Which license a LICENSE file is the text of, by the matching templates of SPDX."""

from __future__ import annotations

from collections.abc import Iterator

from bot.checkpoint.source import Source
from bot.errors import CheckpointError
from bot.lineage.license_terms import Family, family

LICENSE_FILES = (
    "LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md", "COPYING",
    "license", "license.txt", "license.md",
)  # fmt: skip
LONGEST_TEXT = 256 << 10
COVERED = 0.75
"""How much of a file has to be license text that was recognised; a file that only mentions one
license in another's text is not identified."""
_VERSION_SUFFIXES = ("-only", "-or-later")
_ALIASES = {
    "odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "pddl-1.0": "pddl", "mit-0": "mit",
    "gfdl-1.3": "gfdl", "gfdl-1.2": "gfdl", "gfdl-1.1": "gfdl", "lgpl-2.0": "lgpl",
    "gpl-1.0": "gpl",
}  # fmt: skip


def text_licenses(source: Source) -> tuple[str, ...] | None:
    """The licenses that a model's LICENSE files are texts of.

    Returns:
        Ids as the Hub writes them, or in lower case as SPDX does where the Hub has none; empty for
        a text that is not identified, None where there is no such file.
    """
    texts = [text for name in LICENSE_FILES if (text := _read(source, name)) is not None]
    if not texts:
        return None
    return tuple(dict.fromkeys(license for text in texts for license in identify(text)))


def identify(text: str) -> tuple[str, ...]:
    """The licenses a text consists of, empty when it is mostly something else."""
    from licenseclassifier import identify_license

    found = identify_license(text[:LONGEST_TEXT])
    covered = sum(one.end - one.start for one in found)
    if not found or covered < COVERED * len(text.strip()):
        return ()
    return tuple(dict.fromkeys(_hub_id(one.id) for one in found))


def _read(source: Source, name: str) -> str | None:
    try:
        data = source.file(name)
    except CheckpointError:
        return ""  # there, and unreadable or too large: not identified
    return None if data is None else data[: LONGEST_TEXT + 1].decode("utf-8", "replace")


def _hub_id(spdx: str) -> str:
    return next((name for name in _candidates(spdx.lower()) if _is_known(name)), spdx.lower())


def _candidates(name: str) -> Iterator[str]:
    yield name
    for suffix in _VERSION_SUFFIXES:
        yield name.removesuffix(suffix)
    yield _ALIASES.get(name.removesuffix("-only").removesuffix("-or-later"), name)


def _is_known(name: str) -> bool:
    return family(name) is not Family.UNKNOWN
