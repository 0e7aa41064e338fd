"""A folder of immutable records, one file a run.

::

    <root>/records/<run_key>.json         what a run did and found
    <root>/publications/<run_key>.json    where its weights went, if that came later
    <root>/sweeps/<run_key>.json          what it was chosen from, if that came later
    <root>/retractions/<run_key>.json     that it was taken back
    <root>/attempts.jsonl                 every merge that was begun
    <root>/board.json                     format and version of the folder
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import ValidationError

from leaderboard.atomic_write import replace, write_once
from leaderboard.attempts import (
    Attempted,
    append_elsewhere,
    append_merges,
    prepare_board,
    read_attempts,
    require_known_version,
)
from leaderboard.board_errors import RecordError
from leaderboard.migrations import PUBLICATION, RETRACTION, SWEEP
from leaderboard.record import Record, dump_record, explain, parse_record
from leaderboard.record_base import RecordModel
from leaderboard.record_provenance import Attempts, Publication, Retraction, Sweep
from leaderboard.versioned_json import JsonFormat

S = TypeVar("S", bound=RecordModel)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a store holds: every record that could be read, and why the others could not.

    Publications, sweeps, retractions and the attempts by now are joined to their records. Records
    are ordered by run key.
    """

    records: tuple[Record, ...]
    problems: tuple[RecordError, ...] = ()


class Store(Protocol):
    """Where records are kept."""

    def load(self) -> Loaded:
        """Everything there is; never fails because of one broken record."""
        ...


class FolderStore:
    """Records in a folder, each written once.

    Args:
        root: the board's folder; made when the first record is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def records(self) -> Path:
        """The folder of runs."""
        return self.root / "records"

    @property
    def retractions(self) -> Path:
        """The folder of retractions."""
        return self.root / "retractions"

    @property
    def publications(self) -> Path:
        """The folder of publications."""
        return self.root / "publications"

    @property
    def sweeps(self) -> Path:
        """The folder of choices made after their winner's record."""
        return self.root / "sweeps"

    def __contains__(self, run_key: str) -> bool:
        return (self.records / f"{run_key}.json").is_file()

    def add(self, record: Record) -> Path:
        """Keep a record. Writing the same twice changes nothing.

        Raises:
            RecordError: another record has this run key, or the record carries a retraction.
        """
        if record.retraction is not None:
            raise RecordError(
                f"the record of run {record.run_key} carries a retraction",
                hint="retractions are records of their own: use retract()",
            )
        prepare_board(self.root)
        return write_once(self.records / f"{record.run_key}.json", dump_record(record))

    def publish(self, run_key: str, publication: Publication) -> Path:
        """Keep where a run on the board was published. Raises RecordError when it is not there."""
        self._require(run_key)
        return self._write_once(self.publications / f"{run_key}.json", PUBLICATION, publication)

    def retract(self, retraction: Retraction) -> Path:
        """Keep a retraction of a run that is on the board. Raises RecordError otherwise."""
        self._require(retraction.run_key)
        place = self.retractions / f"{retraction.run_key}.json"
        return self._write_once(place, RETRACTION, retraction)

    def choose(self, run_key: str, sweep: Sweep) -> None:
        """Keep that a run on the board came out of a sweep; of several the one of most trials."""
        record = self.get(run_key)
        told = record.attempts.sweep if record.attempts else None
        if told is None or told.trials < sweep.trials:
            prepare_board(self.root)
            replace(self.sweeps / f"{run_key}.json", dump_document(sweep, SWEEP))

    def note_attempts(self, family: str, merge_keys: Iterable[str]) -> None:
        """Count merges that are about to be made; those that have a record are counted by it."""
        prepare_board(self.root)
        recorded = {record.merge_key for record in self._records([]) if _is_of(record, family)}
        append_merges(self.root, family, [key for key in merge_keys if key not in recorded])

    def note_attempts_elsewhere(self, records: Iterable[Record]) -> None:
        """Count what the records of a results dataset disclose that was not tried here."""
        prepare_board(self.root)
        append_elsewhere(self.root, records)

    def attempts(self, family: str, sweep: Sweep | None = None) -> Attempts:
        """The merges over these parents that were tried so far, as a record written now says.

        ``count`` is None where the log is broken, and where it has no merge of this family, since
        the merge that asks is in it.
        """
        attempted = read_attempts(self.root)
        count = attempted.count(family, self._records([])) or None
        return Attempts(family=family, count=count, sweep=sweep)

    def disclosed(self, record: Record) -> Record:
        """A record as it is published: with which log counted its attempts, and how many it has."""
        known, attempted = record.attempts, read_attempts(self.root)
        merges = attempted.merges.get(known.family, frozenset()) if known else frozenset()
        if known is None or known.count is None or record.merge_key not in merges:
            return record
        log = {"log": attempted.log, "in_log": len(merges)}
        return record.model_copy(update={"attempts": known.model_copy(update=log)})

    def get(self, run_key: str) -> Record:
        """One record by its key. Raises RecordError when there is none or it is broken."""
        found = {path.stem: path for path in self.records.glob("*.json")}
        if run_key not in found:
            raise RecordError(f"there is no run {run_key} on the board in {self.root}")
        _read_record(found[run_key])
        return next(record for record in self.load().records if record.run_key == run_key)

    def load(self) -> Loaded:
        """Every readable record with what came later, and the problems of the others.

        Raises:
            RecordError: the folder was written by a newer version of this program.
        """
        require_known_version(self.root)
        problems: list[RecordError] = []
        publications, retractions = self._publications(problems), self._retractions(problems)
        sweeps = _read_all(self.sweeps, Sweep, SWEEP, problems)
        records = self._records(problems)
        by_now = _ByNow(read_attempts(self.root), records)
        joined = (
            record.model_copy(
                update={
                    "publication": record.publication or publications.get(record.run_key),
                    "retraction": retractions.get(record.run_key),
                    "attempts": by_now.attempts(record, sweeps.get(record.run_key)),
                }
            )
            for record in records
        )
        return Loaded(records=tuple(joined), problems=tuple(problems))

    def _records(self, problems: list[RecordError]) -> list[Record]:
        """Every readable record as it was written."""
        records = []
        for path in sorted(self.records.glob("*.json")):
            try:
                records.append(_read_record(path))
            except RecordError as error:
                problems.append(error)
        return records

    def _write_once(self, path: Path, form: JsonFormat, document: RecordModel) -> Path:
        prepare_board(self.root)
        return write_once(path, dump_document(document, form))

    def _require(self, run_key: str) -> None:
        if run_key not in self:
            raise RecordError(
                f"there is no run {run_key} on this board",
                hint="look the run's key up in the table or on the model's page",
            )

    def _publications(self, problems: list[RecordError]) -> dict[str, Publication]:
        return _read_all(self.publications, Publication, PUBLICATION, problems)

    def _retractions(self, problems: list[RecordError]) -> dict[str, Retraction]:
        return _read_all(self.retractions, Retraction, RETRACTION, problems)


def _is_of(record: Record, family: str) -> bool:
    return record.attempts is not None and record.attempts.family == family


class _ByNow:
    """What is known by now of the attempts of every record of a board."""

    def __init__(self, attempted: Attempted, records: Iterable[Record]) -> None:
        self._attempted = attempted
        self._by_family: dict[str, list[Record]] = {}
        for record in records:
            if record.attempts is not None:
                self._by_family.setdefault(record.attempts.family, []).append(record)
        self._counts = {
            family: attempted.count(family, members) for family, members in self._by_family.items()
        }

    def attempts(self, record: Record, later: Sweep | None) -> Attempts | None:
        """A record's attempts with the count of today; None where it disclosed none."""
        known = record.attempts
        if known is None:
            return None
        count, now = known.count, self._counts[known.family]
        is_noted = known.family in {*self._attempted.merges, *self._attempted.elsewhere}
        if count is not None and is_noted:
            count = None if now is None else max(count, now)
        elif now is None:
            count = None
        return known.model_copy(update={"count": count, "sweep": later or known.sweep})


def dump_document(document: RecordModel, form: JsonFormat) -> str:
    """A publication, sweep or retraction as the JSON of its file."""
    return form.dump(document.model_dump(mode="json"))


def parse_document(text: str | bytes, kind: type[S], form: JsonFormat, *, where: str) -> S:
    """Read what `dump_document` wrote. Raises RecordError for anything else."""
    try:
        return kind.model_validate_json(json.dumps(form.parse(text, where=where)))
    except ValidationError as error:
        raise RecordError(f"{where} is not a {kind.__name__.lower()}:\n{explain(error)}") from error


def _read_all(
    folder: Path, kind: type[S], form: JsonFormat, problems: list[RecordError]
) -> dict[str, S]:
    """Every readable document of a folder by its run's key."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = parse_document(path.read_bytes(), kind, form, where=str(path))
        except RecordError as error:
            problems.append(error)
        except OSError as error:
            problems.append(RecordError(f"{path} cannot be read: {error.strerror}"))
    return found


def _read_record(path: Path) -> Record:
    try:
        record = parse_record(path.read_bytes(), where=str(path))
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    if record.run_key != path.stem:
        raise RecordError(
            f"{path} holds run {record.run_key}", hint="give the file its run's name back"
        )
    return record
