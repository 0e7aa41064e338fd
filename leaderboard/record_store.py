"""A folder of immutable records, one file a run.

::

    <root>/records/<run_key>.json         what a run did and found
    <root>/publications/<run_key>.json    where its weights went, if that came later
    <root>/sweeps/<run_key>.json          what it was chosen from, if that came later
    <root>/retractions/<run_key>.json     that it was taken back
    <root>/attempts/<family>/<merge_key>  that a merge over these parents was begun
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import ValidationError

from leaderboard.atomic_write import replace, write_once
from leaderboard.attempts import attempts_by_family, note_tried, read_tried
from leaderboard.board_errors import RecordError
from leaderboard.record import Record, dump_record, explain, parse_record
from leaderboard.record_base import RecordModel
from leaderboard.record_provenance import Attempts, Publication, Retraction, Sweep

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

    @property
    def attempts(self) -> Path:
        """The folder of merges that were begun."""
        return self.root / "attempts"

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
        return write_once(self.records / f"{record.run_key}.json", dump_record(record))

    def publish(self, run_key: str, publication: Publication) -> Path:
        """Keep where a run on the board was published. Raises RecordError when it is not there."""
        self._require(run_key)
        text = publication.model_dump_json(indent=2) + "\n"
        return write_once(self.publications / f"{run_key}.json", text)

    def retract(self, retraction: Retraction) -> Path:
        """Keep a retraction of a run that is on the board. Raises RecordError otherwise."""
        self._require(retraction.run_key)
        text = retraction.model_dump_json(indent=2) + "\n"
        return write_once(self.retractions / f"{retraction.run_key}.json", text)

    def choose(self, run_key: str, sweep: Sweep) -> None:
        """Keep that a run on the board came out of a sweep; of several the one of most trials."""
        record = self.get(run_key)
        told = record.attempts.sweep if record.attempts else None
        if told is None or told.trials < sweep.trials:
            replace(self.sweeps / f"{run_key}.json", sweep.model_dump_json(indent=2) + "\n")

    def note_attempts(self, family: str, merge_keys: Iterable[str]) -> None:
        """Count merges that are about to be made; those that have a record are counted by it."""
        recorded = {record.merge_key for record in self._records([]) if _is_of(record, family)}
        note_tried(self.attempts, family, [key for key in merge_keys if key not in recorded])

    def count_attempts(self, family: str) -> int:
        """How many merges over these parents were tried so far; 0 where none was noted."""
        counts = attempts_by_family(read_tried(self.attempts), self._records([]))
        return counts.get(family, 0)

    def get(self, run_key: str) -> Record:
        """One record by its key. Raises RecordError when there is none or it is broken."""
        found = {path.stem: path for path in self.records.glob("*.json")}
        if run_key not in found:
            raise RecordError(f"there is no run {run_key} on the board in {self.root}")
        _read_record(found[run_key])
        return next(record for record in self.load().records if record.run_key == run_key)

    def load(self) -> Loaded:
        """Every readable record with what came later, and the problems of the others."""
        problems: list[RecordError] = []
        publications, retractions = self._publications(problems), self._retractions(problems)
        sweeps = _read_all(self.sweeps, Sweep, "sweep", problems)
        records = self._records(problems)
        counts = attempts_by_family(read_tried(self.attempts), records)
        joined = (
            record.model_copy(
                update={
                    "publication": record.publication or publications.get(record.run_key),
                    "retraction": retractions.get(record.run_key),
                    "attempts": _by_now(record.attempts, counts, sweeps.get(record.run_key)),
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

    def _require(self, run_key: str) -> None:
        if run_key not in self:
            raise RecordError(
                f"there is no run {run_key} on this board",
                hint="look the run's key up in the table or on the model's page",
            )

    def _publications(self, problems: list[RecordError]) -> dict[str, Publication]:
        return _read_all(self.publications, Publication, "publication", problems)

    def _retractions(self, problems: list[RecordError]) -> dict[str, Retraction]:
        return _read_all(self.retractions, Retraction, "retraction", problems)


def _is_of(record: Record, family: str) -> bool:
    return record.attempts is not None and record.attempts.family == family


def _by_now(
    told: Attempts | None, counts: Mapping[str, int], later: Sweep | None
) -> Attempts | None:
    """A record's attempts as they are known by now."""
    if told is None:
        return None
    count = max(told.count, counts.get(told.family, 0))
    return told.model_copy(update={"count": count, "sweep": later or told.sweep})


def _read_all(folder: Path, kind: type[S], noun: str, problems: list[RecordError]) -> dict[str, S]:
    """Every readable document of a folder by its run's key."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = kind.model_validate_json(path.read_bytes())
        except ValidationError as error:
            problems.append(RecordError(f"{path} is not a {noun}:\n{explain(error)}"))
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
