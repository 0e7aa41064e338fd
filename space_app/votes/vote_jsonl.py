"""Votes and deletions as JSON lines, as the votes dataset keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from space_app.votes.vote_database import Choice, Deletion, Vote

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=500)]


class VoteLine(BaseModel):
    """One vote; the fields are those of `Vote`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    round: Name
    created: Seconds
    visitor: Name
    left: Name
    right: Name
    choice: Choice
    settings: dict[str, Any]
    uncounted: str | None = None
    conversation: Any = None


class DeletionLine(BaseModel):
    """One visitor's deletion; the fields are those of `Deletion`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    visitor: Name
    until: Seconds


class ReadVotes(NamedTuple):
    """The votes of a file, and how many of its lines were no votes."""

    votes: list[Vote]
    broken: int


class ReadDeletions(NamedTuple):
    """The deletions of a file, and how many of its lines were none."""

    deletions: list[Deletion]
    broken: int


def vote_lines(votes: Iterable[Vote]) -> bytes:
    """One line a vote; the conversation only where the visitor shared it."""
    lines = []
    for vote in votes:
        fields = VoteLine(**{**vars(vote), "settings": dict(vote.settings)})
        lines.append(fields.model_dump(exclude_none=True))
    return _lines(lines)


def deletion_lines(deletions: Iterable[Deletion]) -> bytes:
    """One line a visitor."""
    return _lines(deletion._asdict() for deletion in deletions)


def read_votes(content: bytes) -> ReadVotes:
    """The votes of a file; lines that are none are counted and left out."""
    votes, broken = list[Vote](), 0
    for line in content.splitlines():
        try:
            votes.append(Vote(**dict(VoteLine.model_validate_json(line))))
        except ValidationError:
            broken += 1
    return ReadVotes(votes, broken)


def read_deletions(content: bytes) -> ReadDeletions:
    """The deletions of a file; lines that are none are counted and left out."""
    deletions, broken = list[Deletion](), 0
    for line in content.splitlines():
        try:
            deletions.append(Deletion(**dict(DeletionLine.model_validate_json(line))))
        except ValidationError:
            broken += 1
    return ReadDeletions(deletions, broken)


def _lines(objects: Iterable[dict[str, Any]]) -> bytes:
    texts = [json.dumps(one, sort_keys=True, allow_nan=False) for one in objects]
    return "".join(f"{text}\n" for text in texts).encode()
