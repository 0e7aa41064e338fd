"""The files beside a published merge's weights: card, record, recipe, samples, licenses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.errors import CheckpointError
from bot.hub.file_list import FILE_LIST, changed_files, parse_file_list
from bot.pipeline.merge_recipe import RECIPE_FILE
from bot.recipe.recipe_lock import Lock
from leaderboard.board_errors import BoardError
from leaderboard.record import parse_record

CARD_FILE, RECORD_FILE = "README.md", "record.json"
UNLISTED = frozenset({FILE_LIST, ".gitattributes"})
NO_SCORES = "the scores: evaluations are not repeated"
NO_AUTHOR = f"who wrote the files: whoever may write to the repository can rewrite {FILE_LIST} too"


@dataclass(frozen=True, kw_only=True)
class FileCheck:
    """What is wrong with the files, whether only the card was changed, what is proved and not."""

    faults: tuple[str, ...] = ()
    card_changed: bool = False
    proved: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()


def check_files(model: Path, lock: Lock) -> FileCheck:
    """Compare every file of a published merge with its list, and the record with the lock."""
    contradictions = tuple(_contradictions(model, lock))
    try:
        listed = parse_file_list((model / FILE_LIST).read_bytes())
    except OSError:
        missing = f"other files than weights, config and tokenizer: there is no {FILE_LIST}"
        return FileCheck(faults=contradictions, unproved=(NO_SCORES, missing))
    except CheckpointError as broken:
        return FileCheck(faults=(*contradictions, broken.message), unproved=(NO_SCORES,))
    changed = changed_files(model, listed)
    faults = [f"{path} is not what {FILE_LIST} says" for path in changed if path != CARD_FILE]
    unlisted = sorted(_files_of(model) - listed.keys() - UNLISTED)
    unproved = [NO_SCORES, NO_AUTHOR]
    if unlisted:
        unproved.append(f"files that {FILE_LIST} does not list: {', '.join(unlisted[:5])}")
    return FileCheck(
        faults=(*contradictions, *faults),
        card_changed=CARD_FILE in changed,
        proved=(f"{len(listed) - len(changed)} files are what {FILE_LIST} says",),
        unproved=tuple(unproved),
    )


def _contradictions(model: Path, lock: Lock) -> list[str]:
    """Where the recipe or the record beside a lock is another merge's."""
    found = []
    recipe, record = model / RECIPE_FILE, model / RECORD_FILE
    if recipe.is_file() and recipe.read_bytes() != lock.recipe.encode():
        found.append(f"{RECIPE_FILE} is not the recipe of the lock")
    if record.is_file():
        try:
            kept = parse_record(record.read_bytes(), where=RECORD_FILE)
        except BoardError as broken:
            return [*found, broken.message]
        made = lock.result.model_digest if lock.result else None
        if (kept.merge_key, kept.model_digest) != (lock.merge_key, made):
            found.append(f"{RECORD_FILE} is of another merge than the lock")
    return found


def _files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
