"""The JSON files of a model folder as the checks read them: nothing in them makes a check raise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot.architecture.model_config import JsonObject
from bot.architecture.untrusted_config import CONFIG_FILES, refusals
from bot.checkpoint.folder_source import readable
from bot.checkpoint.untrusted_json import MAXIMUM_BYTES, parse_object
from bot.errors import CheckpointError


def read_config_file(folder: Path, name: str) -> JsonObject | None:
    """A JSON file of a model folder, None where there is none.

    Raises:
        CheckpointError: it cannot be read, or is not what `parse_object` accepts.
    """
    path = folder / name
    with readable(path):
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            data = stream.read(MAXIMUM_BYTES + 1)
    return parse_object(data, name, "run the recipe again")


def config_or_nothing(folder: Path, name: str) -> JsonObject:
    """A JSON file of a model folder; empty where it is missing or broken."""
    try:
        return read_config_file(folder, name) or {}
    except CheckpointError:
        return {}


def config_faults(folder: Path) -> Iterator[str]:
    """Why the configs of a folder must not be given to transformers, or cannot be."""
    for name in CONFIG_FILES:
        try:
            content = read_config_file(folder, name)
        except CheckpointError as error:
            yield error.message
            continue
        if content is None and name == "config.json":
            yield f"there is no {name}"
        for problem in refusals(content or {}, folder.name, name):
            yield problem.message
