"""``log.jsonl``: what happened in a run, one JSON object a line, without secrets.

A line is appended whole and flushed, so the log is readable while the run goes on and after it was
killed. Each process that works on the run begins with a line ``begin`` that describes it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.errors import MergebotError
from bot.events import Event, Report
from bot.machine_limits import usable_cpus
from bot.pipeline.machine_info import machine, versions
from bot.redaction import redact
from leaderboard.board_errors import BoardError
from leaderboard.versioned_json import JsonFormat

LOG_FILE = "log.jsonl"
FORMAT = JsonFormat(name="mergebot.log", version=1)


class RunLog:
    """Appends to the log of a run.

    A log that cannot be written is given up; it never ends a run.

    Args:
        folder: the run's folder, which exists.
        clock: seconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / LOG_FILE
        self._clock = clock
        self._begun = False

    def write(self, kind: str, **facts: Any) -> None:
        """Append a line: its time, this process, what kind of line it is, and its facts."""
        if not self._begun:
            self._begun = True
            self._append("begin", FORMAT.mark(_environment(self._path.parent)))
        self._append(kind, facts)

    def reporting(self, report: Report) -> Report:
        """A report that also logs every event but the advances."""

        def both(event: Event) -> None:
            if event.kind != "advance":
                facts = {"item": event.item, "unit": event.unit, "done": event.done}
                kept = {name: value for name, value in facts.items() if value}
                self.write(event.kind, stage=event.stage, **kept)
            report(event)

        return both

    def failure(self, stage: str, error: BaseException) -> None:
        """Append why a stage failed; one that nobody foresaw with its traceback."""
        facts: dict[str, Any] = {"stage": stage, "error": type(error).__name__}
        facts["message"] = getattr(error, "message", None) or str(error)
        if getattr(error, "hint", None):
            facts["hint"] = getattr(error, "hint", None)
        if not isinstance(error, MergebotError | BoardError | KeyboardInterrupt):
            facts["traceback"] = "".join(traceback.format_exception(error))
        cause = error.__cause__
        if cause is not None:
            facts["cause"] = f"{type(cause).__name__}: {cause}"
        self.write("error", **facts)

    def _append(self, kind: str, facts: dict[str, Any]) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock()))
        line = {"time": moment, "pid": os.getpid(), "kind": kind, **facts}
        text = json.dumps(_redacted(line), ensure_ascii=True, default=str) + "\n"
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)
        except OSError:
            return  # a full disk is reported by the stage that needs it


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value]
    return value


def _environment(folder: Path) -> dict[str, Any]:
    """What is worth knowing about the process and its machine; no variable's value is among it."""
    facts: dict[str, Any] = {"versions": dict(versions()), "machine": dict(machine())}
    try:
        facts["free_bytes"] = shutil.disk_usage(folder).free
        facts["memory_bytes"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        pass
    facts["cpus_allowed"] = usable_cpus()
    facts["user_is_root"] = hasattr(os, "geteuid") and os.geteuid() == 0
    return facts
