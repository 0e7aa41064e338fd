"""What a board is made of: a version of a suite, a row a model, and the board itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leaderboard.board_errors import RecordError
from leaderboard.record import Record
from leaderboard.record_provenance import Flag, Parent, Relation
from leaderboard.record_results import Headline, Score, SuiteResult, TaskResult
from leaderboard.verdict import VerdictDetail


@dataclass(frozen=True, kw_only=True)
class SuiteVersion:
    """What scores must share to be ranked together."""

    suite: str
    version: str
    digest: str
    split: str

    @classmethod
    def of(cls, result: SuiteResult) -> SuiteVersion:
        """The version a result belongs to."""
        return cls(
            suite=result.suite, version=result.version, digest=result.digest, split=result.split
        )

    def __str__(self) -> str:
        return f"{self.suite} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model of the board: a merge with its record, or a parent with what its child recorded.

    ``key`` tells rows apart; `digest` is the weights', which two rows may share. ``name`` has the
    beginning of a key where several models have one name. ``rank_low`` and ``rank_high`` are None
    for rows that are not ranked. ``holds`` says whether "better than every parent" survives the
    correction for all attempts of the board.
    """

    key: str
    name: str
    kind: Relation
    record: Record | None = None
    parent: Parent | None = None
    judgement: VerdictDetail | None = None
    headline: Headline | None = None
    tasks: Mapping[str, Score]
    rank_low: int | None = None
    rank_high: int | None = None
    adjusted_p: float | None = None
    holds: bool = False
    flags: tuple[Flag, ...] = ()
    created: str

    @property
    def digest(self) -> str:
        """The digest of the model's weights; the row's key where it has none."""
        if self.record is not None:
            return self.record.model_digest or self.key
        return self.parent.key if self.parent else self.key

    @property
    def method(self) -> str | None:
        """The merge method's name, None for parents."""
        return self.record.recipe.method if self.record else None

    @property
    def parents(self) -> tuple[str, ...]:
        """The short names of the models it was made from."""
        return tuple(parent.name for parent in self.record.parents) if self.record else ()

    @property
    def base(self) -> str | None:
        """The short name of the base model: its own where it is one."""
        if self.record is None:
            return self.name if self.kind == "base" else None
        return next((found.name for found in self.record.parents if found.role == "base"), None)

    @property
    def parameters(self) -> int | None:
        """How many parameters it has, where known."""
        if self.record:
            return self.record.model.parameters if self.record.model else None
        return self.parent.parameters if self.parent else None

    @property
    def memory_bytes(self) -> int | None:
        """What it takes to run it; two bytes a parameter and a fifth more where not recorded."""
        if self.record and self.record.model and self.record.model.memory_bytes:
            return self.record.model.memory_bytes
        return None if self.parameters is None else round(self.parameters * 2 * 1.2)

    @property
    def license(self) -> str | None:
        """The license's identifier, where known."""
        if self.record:
            return self.record.license.id if self.record.license else None
        return self.parent.license if self.parent else None

    @property
    def status(self) -> str:
        """``ok``, ``failed``, ``retracted`` or ``pending``."""
        if self.record and self.record.retraction:
            return "retracted"
        if self.record and self.record.status == "failed":
            return "failed"
        return "ok" if self.headline else "pending"

    @property
    def given_name(self) -> str:
        """The name in the model's record, which another row of the board may have too."""
        if self.record:
            return self.record.name
        return self.parent.name if self.parent else self.name


@dataclass(frozen=True, kw_only=True)
class Board:
    """Everything a face shows: ranked rows first by score, then those that are not ranked.

    ``claims`` counts the comparisons with a p value; ``attempts`` every merge that was tried, None
    where that is unknown for some of them.
    """

    suite: SuiteVersion | None
    title: str
    tasks: tuple[TaskResult, ...]
    rows: tuple[Row, ...]
    unranked: tuple[Row, ...]
    claims: int
    attempts: int | None
    updated: str | None
    normalised: bool = False

    def row(self, key: str) -> Row:
        """The row with this model key, run key or name.

        Raises:
            RecordError: there is none, or several models have that name.
        """
        everything = (*self.rows, *self.unranked)
        for row in everything:
            run_key = row.record.run_key if row.record else None
            if key in {row.key, row.name, run_key}:
                return row
        named = [row.name for row in everything if key == row.given_name]
        if named:
            raise RecordError(
                f"several models of this board are named {key}",
                hint=f"say which one: {', '.join(named)}",
            )
        raise RecordError(f"there is no model {key} on this board")
