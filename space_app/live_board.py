"""The board in memory: read at the start, read again in the background, the last good one kept."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from leaderboard.board import Board, Row
from leaderboard.build_board import build_board
from leaderboard.record import Record
from leaderboard.record_store import Store
from leaderboard.render.board_json import board_data, extra_data, model_id

Clock = Callable[[], datetime]


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One state of the board with everything derived from it; never changed.

    ``loaded`` is None before anything was read; ``problem`` says why a newer state could not be
    read; ``left_out`` names broken records.
    """

    board: Board
    loaded: datetime | None = None
    problem: str | None = None
    left_out: tuple[str, ...] = ()
    rows: Mapping[str, Row] = field(repr=False)

    @classmethod
    def of(
        cls, board: Board, *, loaded: datetime | None = None, left_out: Iterable[str] = ()
    ) -> Snapshot:
        """A fresh state."""
        everything = (*board.unranked, *reversed(board.rows))
        rows = {row.name: row for row in everything}
        rows |= {row.record.run_key: row for row in everything if row.record}
        rows |= {row.key: row for row in everything}
        rows |= {model_id(row.key): row for row in everything}
        return cls(board=board, loaded=loaded, left_out=tuple(left_out), rows=rows)

    @cached_property
    def lean(self) -> bytes:
        """The table's columns as gzipped JSON."""
        return _packed(board_data(self.board))

    @cached_property
    def extra(self) -> bytes:
        """Parents and task columns as gzipped JSON."""
        return _packed(extra_data(self.board))

    @cached_property
    def version(self) -> str:
        """Changes when anything that the table shows changes."""
        return hashlib.sha256(self.lean).hexdigest()[:12]

    @property
    def everything(self) -> tuple[Row, ...]:
        """Ranked rows, then the others."""
        return (*self.board.rows, *self.board.unranked)

    def find(self, word: str) -> Row | None:
        """A row by its id, key, run or name."""
        return self.rows.get(word)

    def near(self, word: str) -> list[str]:
        """The three names most like a word."""
        return get_close_matches(word, [row.name for row in self.everything], n=3, cutoff=0.0)


class LiveBoard:
    """Holds the current snapshot; reading the store again never takes a good board away.

    Args:
        store: where the records are.
        suite: the suite to rank by; the newest run's where None.
        patience: seconds the start may take; what takes longer is read on in the background. None
            for as long as it takes.
        clock: tells the time.
        build: makes a board of records.
    """

    def __init__(
        self,
        store: Store,
        *,
        suite: str | None = None,
        patience: float | None = None,
        clock: Clock = now,
        build: Callable[..., Board] = build_board,
    ) -> None:
        self._store = store
        self._suite = suite
        self._clock = clock
        self._build = build
        self._records: tuple[Record, ...] | None = None
        self._current = Snapshot.of(build_board(()))
        self._reading = threading.Lock()
        first = threading.Thread(target=self.refresh, name="board-start", daemon=True)
        first.start()
        first.join(patience)

    @property
    def current(self) -> Snapshot:
        """The newest good state."""
        return self._current

    def refresh(self) -> Snapshot:
        """Read the store; on failure keep what was there and say so in the snapshot."""
        with self._reading:
            try:
                self._read()
            except Exception as failure:  # noqa: BLE001 - whatever breaks, the last board stays up
                told = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
                self._current = replace(self._current, problem=told)
        return self._current

    def _read(self) -> None:
        loaded = self._store.load()
        if loaded.records == self._records and not self._current.problem:
            return
        board = self._build(loaded.records, suite=self._suite)
        left_out = [problem.message for problem in loaded.problems]
        self._current = Snapshot.of(board, loaded=self._clock(), left_out=left_out)
        self._records = loaded.records

    def keep_fresh(self, seconds: float) -> threading.Event:
        """Read again and again in the background until the returned event is set."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(seconds):
                self.refresh()

        threading.Thread(target=run, name="board-refresh", daemon=True).start()
        return stop


def _packed(content: Any) -> bytes:
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)
