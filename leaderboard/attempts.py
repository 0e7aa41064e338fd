"""How many merges were tried over the same parents: an append-only log, each line chained.

::

    <board>/board.json           the folder's format and version
    <board>/attempts.jsonl       one line for the log itself, then one line for each attempt
    <board>/attempts-head.json   how many lines the log has, and the digest of the last one

A line is written before the first byte of weights, so an attempt counts that fails, is killed, or
loses against the other variants of its sweep; it names the merge, so what is tried again counts
no second time. Every line holds the SHA-256 of the line before it. Where a line was changed or
taken away, or one of the two files is missing, the number of attempts is unknown, and stays so:
a gap that an append finds is written into the log.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leaderboard.atomic_write import replace, sync_folder
from leaderboard.board_errors import RecordError
from leaderboard.migrations import ATTEMPTS, ATTEMPTS_HEAD, BOARD, RECORD
from leaderboard.record import Record

LOG_FILE = "attempts.jsonl"
HEAD_FILE = "attempts-head.json"
LOCK_FILE = ".attempts.lock"
BOARD_FILE = "board.json"
FIRST_VERSION_FOLDER = "attempts"
"""Where boards of version 1 keep an empty file ``<family>/<merge key>`` for each attempt."""


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """What a board's log says.

    Args:
        log: the log's own identifier; None where the board has no log.
        merges: by family, the keys of the merges tried here.
        elsewhere: by family and by other log, how many merges were tried there.
        problem: why the number of attempts is unknown; None where the log is complete.
    """

    log: str | None = None
    merges: Mapping[str, frozenset[str]] = field(default_factory=dict)
    elsewhere: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problem: str | None = None

    def count(self, family: str, records: Iterable[Record]) -> int | None:
        """How many merges of a family were tried, here and elsewhere; None where it is unknown.

        Args:
            family: the parents' key.
            records: the board's records. One whose merge is not in this log comes from elsewhere;
                it says how many were tried there.
        """
        here = self.merges.get(family, frozenset())
        there = dict(self.elsewhere.get(family, {}))
        for record in records:
            known = record.attempts
            if known is None or known.family != family or record.merge_key in here:
                continue
            if known.own is None or (known.log is not None and known.log == self.log):
                return None  # counted by this log, which does not have it any more
            there[known.log or ""] = max(there.get(known.log or "", 0), known.own)
        return None if self.problem else len(here) + sum(there.values())


def read_attempts(board: Path) -> Attempted:
    """Every attempt of a board's folder; never fails because of a broken log."""
    log, head = board / LOG_FILE, board / HEAD_FILE
    if not any((board / name).exists() for name in (BOARD_FILE, LOG_FILE, HEAD_FILE)):
        lost = f"{LOG_FILE} is missing" if _has_marked_records(board) else None
        return Attempted(merges=_first_version(board), problem=lost)
    entries, problem = _checked(log, head)
    merges: dict[str, set[str]] = {}
    elsewhere: dict[str, dict[str, int]] = {}
    for entry in entries[1:]:
        family = str(entry.get("family"))
        if "merge" in entry:
            merges.setdefault(family, set()).add(str(entry["merge"]))
        elif isinstance(entry.get("count"), int):
            other = elsewhere.setdefault(family, {})
            source = str(entry.get("elsewhere"))
            other[source] = max(other.get(source, 0), entry["count"])
    return Attempted(
        log=str(entries[0]["log"]) if entries and "log" in entries[0] else None,
        merges={family: frozenset(keys) for family, keys in merges.items()},
        elsewhere=elsewhere,
        problem=problem,
    )


def append_merges(board: Path, family: str, merge_keys: Iterable[str]) -> None:
    """Add merges that are about to be made to the log; those it has already are left out."""
    with locked(board):
        known = read_attempts(board).merges.get(family, frozenset())
        fresh = [key for key in dict.fromkeys(merge_keys) if key not in known]
        _append(board, [{"family": family, "merge": key} for key in fresh])


def append_elsewhere(board: Path, records: Iterable[Record]) -> None:
    """Add how many merges other logs disclose, as the records of a results dataset say."""
    with locked(board):
        here = read_attempts(board)
        found: dict[tuple[str, str], int] = {}
        for record in records:
            known = record.attempts
            if known is None or known.own is None or known.log == here.log is not None:
                continue
            if record.merge_key in here.merges.get(known.family, ()):
                continue
            place = (known.family, known.log or "")
            found[place] = max(found.get(place, 0), known.own)
        _append(
            board,
            [
                {"family": family, "elsewhere": log, "count": count}
                for (family, log), count in sorted(found.items())
                if here.elsewhere.get(family, {}).get(log, 0) < count
            ],
        )


def prepare_board(board: Path) -> None:
    """Make a folder ready to be written to: a new one, or one of an older version.

    Boards of version 1 kept attempts as empty files; 1 to 2 puts them into the log.

    Raises:
        RecordError: the folder was written by a newer version of this program.
    """
    require_known_version(board)
    if (board / BOARD_FILE).exists():
        return
    with locked(board):
        if not (board / BOARD_FILE).exists():
            _start_log(board)
            replace(board / BOARD_FILE, BOARD.dump({}))
    shutil.rmtree(board / FIRST_VERSION_FOLDER, ignore_errors=True)


def require_known_version(board: Path) -> None:
    """Raise RecordError where a folder was written by a newer version of this program."""
    place = board / BOARD_FILE
    if place.exists():
        BOARD.parse(place.read_bytes(), where=str(place))


def _start_log(board: Path) -> None:
    entries = [
        {"family": family, "merge": key}
        for family, keys in sorted(_first_version(board).items())
        for key in sorted(keys)
    ]
    if _has_marked_records(board):
        entries.append({"gap": f"{LOG_FILE} was missing"})
    first = ATTEMPTS.mark({"log": secrets.token_hex(8)})
    text = "".join(_chained([first, *entries], 0, ""))
    replace(board / LOG_FILE, text)
    _write_head(board, text.encode())


@contextmanager
def locked(board: Path) -> Iterator[None]:
    """Keep other writers of the log away; a process that dies frees it."""
    board.mkdir(parents=True, exist_ok=True)
    handle = os.open(board / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _first_version(board: Path) -> dict[str, frozenset[str]]:
    return {
        place.name: frozenset(path.name for path in place.iterdir())
        for place in (board / FIRST_VERSION_FOLDER).glob("*")
        if place.is_dir()
    }


def _has_marked_records(board: Path) -> bool:
    """Whether records were written by a version that keeps a log."""
    for path in (board / "records").glob("*.json"):
        with path.open("rb") as file:
            if RECORD.name.encode() in file.read(80):
                return True
    return False


def _append(board: Path, entries: list[dict[str, Any]]) -> None:
    if not entries:
        return
    log, head = board / LOG_FILE, board / HEAD_FILE
    data = _complete(log)
    lines = data.splitlines()
    _, problem = _checked(log, head)
    last, count = hashlib.sha256(lines[-1]).hexdigest() if lines else "", len(lines)
    if problem is not None and not _gap_is_written(lines):
        entries = [{"gap": problem}, *entries]
    text = "".join(_chained(entries, count, last)).encode()
    with log.open("r+b" if log.exists() else "w+b") as file:
        file.truncate(len(data))  # a line that a crash cut short was never an attempt
        file.seek(len(data))
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(board)
    _write_head(board, data + text)


def _chained(entries: Iterable[Mapping[str, Any]], count: int, last: str) -> Iterator[str]:
    """The entries as lines, each with its number and the digest of the line before it."""
    for number, entry in enumerate(entries, count):
        line = json.dumps({**entry, "number": number, "previous": last}, sort_keys=True)
        last = hashlib.sha256(line.encode()).hexdigest()
        yield line + "\n"


def _write_head(board: Path, data: bytes) -> None:
    lines = data.splitlines()
    content = {"lines": len(lines), "last": hashlib.sha256(lines[-1]).hexdigest()}
    replace(board / HEAD_FILE, ATTEMPTS_HEAD.dump(content))


def _complete(log: Path) -> bytes:
    """The log's lines that were written to their end."""
    data = log.read_bytes() if log.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def _gap_is_written(lines: list[bytes]) -> bool:
    return any(b'"gap"' in line for line in lines)


def _checked(log: Path, head: Path) -> tuple[list[dict[str, Any]], str | None]:
    """The log's readable entries, and what is wrong with the log.

    Raises:
        RecordError: the log was written by a newer version of this program.
    """
    lines = _complete(log).splitlines()
    entries, problem, last = [], None, ""
    for number, line in enumerate(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            problem = problem or f"line {number + 1} of {LOG_FILE} is not readable"
            entry = {}
        if entry.get("number") != number or entry.get("previous") != last:
            problem = problem or f"line {number + 1} of {LOG_FILE} does not follow the one before"
        if "gap" in entry:
            problem = problem or str(entry["gap"])
        last = hashlib.sha256(line).hexdigest()
        entries.append(entry)
    if entries and "format" in entries[0]:
        ATTEMPTS.migrate(entries[0], where=str(log))
    elif log.exists():
        problem = problem or f"{LOG_FILE} has lost its first line"
    return entries, problem or _head_problem(lines, log, head)


def _head_problem(lines: list[bytes], log: Path, head: Path) -> str | None:
    if not log.exists():
        return f"{LOG_FILE} is missing"
    if not head.exists():
        return f"{HEAD_FILE} is missing"
    try:
        content = ATTEMPTS_HEAD.parse(head.read_bytes(), where=str(head))
        count, last = int(content["lines"]), str(content["last"])
    except (RecordError, OSError, KeyError, TypeError, ValueError):
        return f"{HEAD_FILE} is not readable"
    # A crash between the two files leaves the log one append ahead of its head.
    if count < 1 or len(lines) < count:
        return f"{LOG_FILE} has {len(lines)} lines of {count}"
    if hashlib.sha256(lines[count - 1]).hexdigest() != last:
        return f"the last line of {LOG_FILE} was changed"
    return None
