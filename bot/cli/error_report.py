"""Turns exceptions into a message, a hint and an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import click

from bot.errors import MergebotError, Problem, StorageError
from leaderboard.board_errors import BoardError, IncomparableError, RecordError

INTERNAL = 70


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A failure ready to be shown: exit code, located problems, the next step."""

    code: int
    kind: str
    problems: Sequence[Problem]
    hint: str | None = None


@singledispatch
def explain(failure: BaseException) -> Failure:
    """Turn any exception into a ``Failure``; an unexpected one is reported as a bug in mergebot."""
    trace = "".join(traceback.format_exception(failure))
    return Failure(
        code=INTERNAL,
        kind="InternalError",
        problems=(Problem(message=f"internal error: {failure!r}\n{trace}"),),
        hint="this is a bug in mergebot; please report it with the lines above",
    )


@explain.register
def _(failure: MergebotError) -> Failure:
    return Failure(
        code=failure.exit_code,
        kind=type(failure).__name__,
        problems=failure.problems(),
        hint=failure.hint,
    )


@explain.register
def _(failure: BoardError) -> Failure:
    codes: dict[type[BoardError], int] = {IncomparableError: 10, RecordError: 16}
    return Failure(
        code=codes.get(type(failure), 16),
        kind=type(failure).__name__,
        problems=(Problem(message=failure.message),),
        hint=failure.hint,
    )


@explain.register
def _(failure: click.ClickException) -> Failure:
    usage = getattr(failure, "ctx", None)
    hint = f"see '{usage.command_path} --help'" if usage else None
    problem = Problem(message=failure.format_message())
    return Failure(code=2, kind="UsageError", problems=(problem,), hint=hint)


@explain.register
def _(failure: OSError) -> Failure:
    where = f" ({failure.filename})" if failure.filename else ""
    problem = Problem(message=f"{failure.strerror or failure}{where}")
    hint = "check the path, its permissions and the free space"
    return Failure(code=StorageError.exit_code, kind="StorageError", problems=(problem,), hint=hint)


@explain.register
def _(failure: MemoryError) -> Failure:
    wanted = f": {failure}" if str(failure) else ""
    problem = Problem(message=f"out of memory{wanted}")
    hint = (
        "free some memory or take fewer --threads, then run the same command again: what was "
        "finished is kept; `mergebot plan` says how much a merge needs"
    )
    return Failure(
        code=StorageError.exit_code, kind="OutOfMemoryError", problems=(problem,), hint=hint
    )
