"""``run.json``: everything that a run was asked for; stages read it from the run's folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bot.errors import EvaluationError, RecordError
from bot.evaluation.suite_catalog import Suite
from bot.evaluation.suite_schema import SuiteData
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.json_formats import RUN, read_document, write_document
from bot.recipe.canonical import canonical_json
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.recipe import Recipe
from leaderboard.record_provenance import Sweep

RUN_FILE = "run.json"


@dataclass(frozen=True, kw_only=True)
class PublishSettings:
    """Where a run is published and under which policy; the fields are those of an operator."""

    organisation: str
    policy: str = "all"
    private: bool = False
    create_pr: bool = False
    results: str | None = None
    issues: str | None = None
    allow_local_parents: bool = False


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a run was asked for.

    Args:
        recipe: the text of the recipe, of a sweep that of the chosen variant.
        recipe_file: its path; local parents are relative to its folder.
        suites: what the merge and its parents are evaluated on.
        engine: device, threads and size of files.
        batch_size: instead of the suites' own.
        sweep: the search this recipe was chosen by.
        publish: where the run is published; None keeps it here.
    """

    recipe: str
    recipe_file: str
    suites: tuple[Suite, ...]
    engine: EngineOptions = field(default_factory=EngineOptions)
    batch_size: int | None = None
    sweep: Sweep | None = None
    publish: PublishSettings | None = None

    @property
    def request_key(self) -> str:
        """The name of the run's folder: 64 hex digits over what decides the run's result."""
        sweep = None if self.sweep is None else self.sweep.model_dump(mode="json")
        form = {
            "recipe": self.recipe,
            "recipe_file": self.recipe_file,
            "suites": {suite.name: suite.digest for suite in self.suites},
            "device": self.engine.device,
            "batch_size": self.batch_size,
            "sweep": sweep,
        }
        return hashlib.sha256(canonical_json(form).encode("utf-8", "surrogateescape")).hexdigest()

    def load_recipe(self) -> Recipe:
        """The recipe, with places as in its file.

        Raises:
            RecipeError: this version of mergebot does not accept it any more.
        """
        return parse_recipe(self.recipe, self.recipe_file)


def settings_of(recipe: Recipe, suites: tuple[Suite, ...], **more: Any) -> RunSettings:
    """The settings of a run of a recipe; ``more`` are other fields of `RunSettings`."""
    file = str(Path(recipe.file).resolve())
    return RunSettings(recipe=recipe.text, recipe_file=file, suites=suites, **more)


def write_settings(folder: Path, settings: RunSettings) -> None:
    """Leave ``run.json`` in a run's folder.

    Raises:
        StorageError: the disk refused.
    """
    content = {
        "recipe": settings.recipe,
        "recipe_file": settings.recipe_file,
        "suites": [_plain_suite(suite) for suite in settings.suites],
        "engine": asdict(settings.engine),
        "batch_size": settings.batch_size,
        "sweep": None if settings.sweep is None else settings.sweep.model_dump(mode="json"),
        "publish": None if settings.publish is None else asdict(settings.publish),
    }
    write_document(folder / RUN_FILE, RUN, content)


def read_settings(folder: Path) -> RunSettings:
    """Read what a run was asked for.

    Raises:
        RecordError: the folder holds no run, or one that this version cannot read.
        EvaluationError: a suite's tasks or data were changed since the run was begun.
    """
    content = read_document(folder / RUN_FILE, RUN)
    if content is None:
        message = f"there is no run in {folder}: {RUN_FILE} is missing or broken"
        raise RecordError(message, hint="make it with `mergebot run RECIPE --prepare`")
    try:
        return _settings(content)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            f"{folder / RUN_FILE} is not what mergebot writes: {error}",
            hint="remove the folder and run the recipe again; weights and scores are kept",
        ) from error


def _settings(content: Mapping[str, Any]) -> RunSettings:
    sweep, publish = content["sweep"], content["publish"]
    return RunSettings(
        recipe=content["recipe"],
        recipe_file=content["recipe_file"],
        suites=tuple(_suite(row) for row in content["suites"]),
        engine=EngineOptions(**content["engine"]),
        batch_size=content["batch_size"],
        sweep=None if sweep is None else Sweep.model_validate(sweep),
        publish=None if publish is None else PublishSettings(**publish),
    )


def _plain_suite(suite: Suite) -> dict[str, Any]:
    return {
        "data": suite.data.model_dump(mode="json"),
        "search": [str(folder.resolve()) for folder in suite.search],
        "frozen": None if suite.frozen is None else str(suite.frozen.resolve()),
        "copies": None if suite.copies is None else str(suite.copies.resolve()),
        "digest": suite.digest,
    }


def _suite(row: Mapping[str, Any]) -> Suite:
    """The suite as it was when the run was begun."""
    frozen, copies = row["frozen"], row["copies"]
    suite = Suite(
        data=SuiteData.model_validate_json(json.dumps(row["data"])),
        search=tuple(Path(folder) for folder in row["search"]),
    )
    suite = suite if frozen is None else replace(suite, frozen=Path(frozen))
    suite = suite if copies is None else replace(suite, copies=Path(copies))
    if suite.digest != row["digest"]:
        raise EvaluationError(
            f"the task files or the data of suite {suite.name} were changed since the run began",
            hint="run the recipe again: it is another run with the changed suite",
        )
    return suite
