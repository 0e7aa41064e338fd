"""The workspace's board: finding a run by the beginning of its key or by its name."""

from __future__ import annotations

from bot.errors import RecordError
from bot.pipeline.workspace import Workspace
from leaderboard.board_errors import BoardError
from leaderboard.record import Record
from leaderboard.record_store import FolderStore, Loaded

LEAST_CHARACTERS = 4


def load_board(workspace: Workspace) -> Loaded:
    """Every record of the workspace, broken ones named."""
    return FolderStore(workspace.board).load()


def board_suite(workspace: Workspace) -> str | None:
    """The suite that the workspace's board requires; verdicts are of this one."""
    from leaderboard.build_board import required_suite  # loads SciPy

    return required_suite(load_board(workspace).records)


def known_record(workspace: Workspace, run_key: str) -> Record | None:
    """What the board has of a run already, None where it has nothing.

    Raises:
        RecordError: its record is broken.
    """
    board = FolderStore(workspace.board)
    if run_key not in board:
        return None
    try:
        return board.get(run_key)
    except BoardError as broken:
        path = board.records / f"{run_key}.json"
        hint = f"move {path} away and run the recipe again: weights and scores are kept"
        raise RecordError(broken.message, hint=hint) from broken


def find_record(workspace: Workspace, word: str) -> Record:
    """The one run whose key begins with ``word`` or whose name it is (the newest of that name).

    Raises:
        RecordError: there is none, or several keys begin so.
    """
    loaded = load_board(workspace)
    records = loaded.records
    named = [record for record in records if record.name == word]
    if named:
        return max(named, key=lambda record: record.created)
    found = [record for record in records if record.run_key.startswith(word)]
    if len(word) < LEAST_CHARACTERS or not found:
        known = ", ".join(f"{record.name} ({record.run_key[:8]})" for record in records[:8])
        hint = f"runs here: {known}" if known else "run a recipe first: mergebot demo"
        broken = "".join(f"\ncannot be read: {problem.message}" for problem in loaded.problems)
        raise RecordError(f"there is no run {word!r} in {workspace.root}{broken}", hint=hint)
    if len(found) > 1:
        keys = ", ".join(record.run_key[:16] for record in found)
        raise RecordError(f"{word!r} is the beginning of several runs: {keys}")
    return found[0]
