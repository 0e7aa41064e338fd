"""The formats of the files that results are kept in, and the numbered steps between versions.

Files of version 1 name no format. Every later change of form raises the version by one and adds one
step; files are brought to the present version in memory and are never rewritten by being read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leaderboard.versioned_json import JsonFormat

Content = dict[str, Any]


def parquet_mark(form: JsonFormat) -> dict[str, str]:
    """Format and version as the metadata of a parquet file's schema."""
    return {"format": form.name, "version": str(form.version)}


def require_readable(
    form: JsonFormat, metadata: Mapping[bytes, bytes] | None, *, where: str
) -> None:
    """Raise RecordError unless a parquet file with this metadata is of a version that is read."""
    found = metadata or {}
    content: Content = {}
    if b"format" in found:
        version = found.get(b"version", b"").decode("ascii", "replace")
        content["format"] = found[b"format"].decode("utf-8", "replace")
        content["version"] = int(version) if version.isdecimal() else version
    form.migrate(content, where=where)


def _unchanged(content: Content) -> Content:
    """1 to 2 of every file beside the records: format and version are written down."""
    return content


def _record_1_to_2(content: Content) -> Content:
    """1 to 2: ``license`` has one spelling, and ``schema_version`` becomes format and version."""
    version = content.get("schema_version")
    rest = {key: value for key, value in content.items() if key != "schema_version"}
    is_first = type(version) is int and version == 1
    content = rest if is_first else {**rest, "schema_version": version}  # refused as unknown
    content = _license_spelled(content)
    if isinstance(content.get("parents"), list):
        content["parents"] = [_license_spelled(parent) for parent in content["parents"]]
    lineage = content.get("lineage")
    if isinstance(lineage, dict) and isinstance(lineage.get("nodes"), list):
        nodes = [_license_spelled(node) for node in lineage["nodes"]]
        content["lineage"] = {**lineage, "nodes": nodes}
    if isinstance(content.get("flags"), list):
        content["flags"] = [_license_flag(flag) for flag in content["flags"]]
    return content


def _license_spelled(content: Any) -> Any:
    if not isinstance(content, dict) or "licence" not in content:
        return content
    rest = {key: value for key, value in content.items() if key != "licence"}
    return {**rest, "license": content["licence"]}


def _license_flag(flag: Any) -> Any:
    if isinstance(flag, dict) and flag.get("kind") == "licence":
        return {**flag, "kind": "license"}
    return flag


RECORD = JsonFormat(name="mergebot.record", version=2, steps={1: _record_1_to_2}, unmarked=1)
BOARD = JsonFormat(name="mergebot.board", version=2, steps={1: _unchanged}, unmarked=1)
PUBLICATION = JsonFormat(name="mergebot.publication", version=2, steps={1: _unchanged}, unmarked=1)
SWEEP = JsonFormat(name="mergebot.sweep", version=2, steps={1: _unchanged}, unmarked=1)
RETRACTION = JsonFormat(name="mergebot.retraction", version=2, steps={1: _unchanged}, unmarked=1)
RUNS_TABLE = JsonFormat(name="mergebot.runs", version=2, steps={1: _unchanged}, unmarked=1)
SAMPLE_SCORES = JsonFormat(
    name="mergebot.sample-scores", version=2, steps={1: _unchanged}, unmarked=1
)
ATTEMPTS = JsonFormat(name="mergebot.attempts", version=2, unmarked=1)
ATTEMPTS_HEAD = JsonFormat(name="mergebot.attempts-head", version=2, unmarked=1)
TABLE = JsonFormat(name="mergebot.leaderboard", version=1)
