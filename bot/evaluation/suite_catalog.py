"""Suites as data: which tasks, under which settings, and the score of guessing.

A suite is a YAML file in ``suites/`` beside this module. Its tasks are lm-evaluation-harness task
files: those that lm-eval ships (``lm_eval:folder/name.yaml``) or those of the project's own
families (``skills/tasks/name.yaml``, looked up along a search path, so that a clone and an
installed wheel find the same files). The tasks a suite names are the closed list of what can be
evaluated: a recipe chooses suites by name and never brings a task file, because a task file may
name Python code to import.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bot.errors import EvaluationError
from bot.evaluation.suite_pins import pins_beside, read_pins
from bot.evaluation.suite_schema import Dataset, SuiteData, TaskSpec
from bot.recipe.problems import nearest

PACKAGED = Path(__file__).with_name("suites")
_PACKAGE = Path(__file__).parent.parent
SEARCH_PATH: tuple[Path, ...] = (_PACKAGE.parent / "recipes", _PACKAGE / "shipped")
"""Where task families are looked for: the clone's ``recipes/``, then the wheel's copy of it."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite and where its files are.

    ``search`` is the path along which its own task files are found. ``frozen`` is a folder with
    frozen copies of its datasets, ``<owner>__<name>/<config>/<split>.jsonl`` or ``.parquet``; with
    it nothing is fetched. ``copies`` is the folder with the fetched copies of pinned datasets.
    """

    data: SuiteData
    search: tuple[Path, ...] = SEARCH_PATH
    frozen: Path | None = None
    copies: Path | None = None

    @property
    def name(self) -> str:
        """The name that recipes and the command line use."""
        return self.data.name

    @property
    def tasks(self) -> tuple[TaskSpec, ...]:
        """The tasks, in the order they run."""
        return self.data.tasks

    def with_frozen(self, folder: Path) -> Suite:
        """The same suite reading its datasets from frozen local copies."""
        return replace(self, frozen=folder.resolve())

    def task_file(self, task: TaskSpec) -> Path:
        """Where one of the suite's own task files is.

        Raises:
            EvaluationError: it is nowhere on the search path.
        """
        for folder in self.search:
            if (found := folder / task.file).is_file():
                return found.resolve()
        raise EvaluationError(
            f"suite {self.name}: the task file {task.file} is in none of "
            f"{', '.join(str(folder) for folder in self.search)}",
            hint="run inside a clone of mergebot, or reinstall the package",
        )

    def weights(self) -> Mapping[str, float]:
        """Each task's share of the headline: benchmarks weigh alike, tasks alike within one."""
        benchmarks = [task.group or task.name for task in self.tasks]
        shares = 1.0 / len(set(benchmarks))
        return {
            task.name: shares / benchmarks.count(benchmark)
            for task, benchmark in zip(self.tasks, benchmarks, strict=True)
        }

    def fetched(self) -> tuple[Dataset, ...]:
        """The datasets it reads from the Hub, each once; none when frozen copies are used."""
        if self.frozen is not None:
            return ()
        return tuple(dict.fromkeys(task.dataset for task in self.tasks if task.dataset))

    def local_files(self) -> Iterable[Path]:
        """Every local file its scores depend on: own task files, their data, frozen copies."""
        for task in self.tasks:
            if not task.shipped_with_lm_eval:
                yield from _task_file_and_data(self.task_file(task))
            if self.frozen is not None and task.dataset is not None:
                yield from frozen_files(self.frozen / task.dataset.folder)

    def readable(self) -> Iterator[Path]:
        """Every file and folder that a process needs to run the suite."""
        yield from self.local_files()
        yield from (folder for folder in (self.frozen, self.copies) if folder is not None)

    @cached_property
    def digest(self) -> str:
        """sha256 over the data and the bytes of every local file, as 64 hex digits.

        The files lm-eval ships are named by its pinned version, which is part of the data.
        """
        total = hashlib.sha256(_canonical(self.data.model_dump(mode="json")))
        for path in dict.fromkeys(self.local_files()):
            total.update(f"\n{path.name}:".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
        return total.hexdigest()


def suite_names(folder: Path = PACKAGED) -> tuple[str, ...]:
    """The names of the suites in a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def suites(folder: Path = PACKAGED) -> tuple[Suite, ...]:
    """Every suite in a folder, by name."""
    return tuple(suite(name, folder=folder) for name in suite_names(folder))


def suite(name: str, *, folder: Path = PACKAGED, search: Sequence[Path] = SEARCH_PATH) -> Suite:
    """The suite of this name.

    Raises:
        EvaluationError: there is none, or its file is broken.
    """
    known = suite_names(folder)
    if name not in known:
        raise EvaluationError(
            f"there is no suite named {name!r}", hint=nearest(name, known, noun="suites")
        )
    return load_suite_file(folder / f"{name}.yaml", search=search)


def load_suite_file(path: Path, *, search: Sequence[Path] = SEARCH_PATH) -> Suite:
    """Read an operator's suite file. A recipe can only name suites, never bring one.

    Args:
        path: the YAML file.
        search: folders in which the suite's own task files are looked for.

    Raises:
        EvaluationError: the file is missing or not a valid suite.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        data = SuiteData.model_validate_json(json.dumps(content))
    except (OSError, ValueError, TypeError, yaml.YAMLError, ValidationError) as error:
        raise EvaluationError(
            f"{path} is not a valid suite: {error}", hint="see the suites in bot/evaluation/suites"
        ) from error
    found = Suite(data=data, search=tuple(folder.resolve() for folder in search))
    return apply_pins(found, read_pins(pins_beside(path)))


def apply_pins(suite: Suite, commits: Mapping[str, str]) -> Suite:
    """The suite with these commits for the datasets that its own file does not pin.

    Args:
        suite: the suite.
        commits: 40 hex digits by dataset id.
    """
    tasks = tuple(
        task
        if task.dataset is None or task.dataset.revision or task.dataset.repo not in commits
        else task.model_copy(
            update={
                "dataset": task.dataset.model_copy(update={"revision": commits[task.dataset.repo]})
            }
        )
        for task in suite.tasks
    )
    return replace(suite, data=suite.data.model_copy(update={"tasks": tasks}))


def frozen_files(folder: Path) -> list[Path]:
    """The files of one frozen dataset, a split each, sorted."""
    return sorted((*folder.glob("*.jsonl"), *folder.glob("*.parquet")))


def data_files(task_file: Path) -> Mapping[str, Path]:
    """The local files a task file reads, by split; paths in it are relative to the task file."""
    kwargs = _plain_yaml(task_file).get("dataset_kwargs") or {}
    named: Mapping[str, Any] = kwargs.get("data_files") or {}
    return {split: (task_file.parent / str(name)).resolve() for split, name in named.items()}


def _task_file_and_data(task_file: Path) -> Iterator[Path]:
    yield task_file
    if include := _plain_yaml(task_file, recursive=False).get("include"):
        yield task_file.parent / str(include)
    for path in data_files(task_file).values():
        if not path.is_file():
            raise EvaluationError(f"{task_file.name} reads {path}, which is missing")
        yield path


class _PlainLoader(yaml.SafeLoader):
    """YAML with lm-eval's ``!function`` read as text, so that reading runs no code."""


_PlainLoader.add_constructor(
    "!function",
    lambda loader, node: loader.construct_scalar(node),  # type: ignore[arg-type]  # the tag is only put on scalars
)


def _plain_yaml(path: Path, *, recursive: bool = True) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=_PlainLoader)  # noqa: S506 (a SafeLoader)
    if recursive and (include := content.get("include")):
        return {**_plain_yaml(path.parent / str(include)), **content}
    return content


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
