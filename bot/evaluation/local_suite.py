"""A suite of one's own: a YAML file with lm-eval task files and data beside it.

It may name lm-eval's own tasks and plain task files in its folder. Nothing in it runs code:
``!function`` and every other tag, ``include_path`` and Python files are refused. Every mistake is
reported with its line. The suite is marked as local, so that nobody takes it for a packaged one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bot.errors import EvaluationError, Problem
from bot.evaluation.suite_catalog import Suite, suite_names
from bot.evaluation.suite_schema import SuiteData, TaskSpec

_LARGEST = 1 << 20
"""Characters of a file that are read; the rest is cut off."""
_DATA = {".json", ".jsonl", ".csv", ".parquet"}
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")
}
_LOADERS = {"json", "csv", "parquet"}
_HINT = "docs/evaluation.md shows a suite of one's own"
Path_ = tuple[str | int, ...]


def is_local_suite(name: str) -> bool:
    """Whether a suite is named by a file, such as ``./my-suite.yaml``."""
    return name.endswith((".yaml", ".yml"))


def load_local_suite(path: Path) -> Suite:
    """Read a suite file and check the task files and data beside it.

    Args:
        path: the suite's YAML file.

    Raises:
        EvaluationError: every mistake in the suite's file and in its task files, with its line.
    """
    document = _Document(path)
    problems = list(document.problems)
    data: SuiteData | None = None
    if document.content is not None:
        try:
            data = SuiteData.model_validate_json(json.dumps(document.content))
        except ValidationError as error:
            problems += [
                document.problem(_message(one["msg"]), tuple(one["loc"])) for one in error.errors()
            ]
        except (TypeError, ValueError) as error:
            problems.append(document.problem(str(error), ()))
    if data is not None:
        if data.name in suite_names():
            message = f"{data.name} is the name of a packaged suite"
            problems.append(document.problem(message, ("name",)))
        for number, task in enumerate(data.tasks):
            problems += _task_problems(document, number, task)
    if problems or data is None:
        lines = "\n".join(str(problem) for problem in problems)
        raise EvaluationError(f"the suite is not valid:\n{lines}", hint=_HINT, found=problems)
    marked = data.model_copy(update={"title": f"{data.title} (local suite)", "local": True})
    return Suite(data=marked, search=(path.resolve().parent,))


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")


def _task_problems(suite: _Document, number: int, task: TaskSpec) -> Iterator[Problem]:
    """What is wrong with a task of a local suite and with its file."""
    place: Path_ = ("tasks", number, "file")
    if task.shipped_with_lm_eval:
        return
    path = suite.path.parent / task.file
    if not _inside(path, suite.path.parent) or path.suffix not in {".yaml", ".yml"}:
        yield suite.problem("a task file is a YAML file in the suite's folder", place)
        return
    if not path.is_file():
        yield suite.problem(f"there is no file {task.file} beside the suite", place)
        return
    document = _Document(path)
    yield from document.problems
    content = document.content
    if content is None:
        return
    if content.get("task") != task.name:
        message = f"this file defines task {content.get('task')!r}, not {task.name!r}"
        yield document.problem(message, ("task",))
    for key in ("include_path", "include", "custom_dataset", "use_prompt"):
        if key in content:
            yield document.problem(f"`{key}` is not allowed in a local suite", (key,))
    if task.dataset is None:
        yield from _data_problems(document, content)


def _data_problems(document: _Document, content: dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with the data files that a task file names."""
    if content.get("dataset_path") not in _LOADERS:
        message = f"`dataset_path` must be one of {', '.join(sorted(_LOADERS))}"
        yield document.problem(message, ("dataset_path",))
    kwargs = content.get("dataset_kwargs")
    files = kwargs.get("data_files") if isinstance(kwargs, dict) else None
    if not isinstance(files, dict) or not files:
        message = "`dataset_kwargs.data_files` must give one file per split"
        yield document.problem(message, ("dataset_kwargs",))
        return
    for split, name in files.items():
        place: Path_ = ("dataset_kwargs", "data_files", split)
        path = document.path.parent / str(name)
        if not _inside(path, document.path.parent) or path.suffix not in _DATA:
            kinds = ", ".join(sorted(_DATA))
            yield document.problem(f"data are a file ({kinds}) in the suite's folder", place)
        elif not path.is_file():
            yield document.problem(f"there is no file {name}", place)


def _inside(path: Path, folder: Path) -> bool:
    """Whether a path stays in a folder, links followed."""
    return path.resolve().is_relative_to(folder.resolve())


class _Document:
    """A YAML file as plain data, with the place of every value.

    ``content`` is None where the file is no mapping of plain values; ``problems`` say why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: dict[str, Any] | None = None
        self.problems: list[Problem] = []
        self._places: dict[Path_, yaml.Mark] = {}
        self._seen: set[int] = set()
        try:
            text = path.read_text("utf-8")
            node = yaml.compose(text[:_LARGEST], Loader=yaml.SafeLoader)
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            self.problems.append(self._unreadable(error))
            return
        self._read(node, ())
        if self.problems:
            return
        content = yaml.safe_load(text[:_LARGEST])
        if isinstance(content, dict):
            self.content = content
        else:
            self.problems.append(self.problem("the file must hold keys and values", ()))

    def problem(self, message: str, place: Path_) -> Problem:
        """A mistake at a value, or at the nearest one around it that is written in the file."""
        while place and place not in self._places:
            place = place[:-1]
        mark = self._places.get(place)
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        named = ".".join(str(part) for part in place)
        text = f"{named}: {message}" if named else message
        return Problem(message=text, file=str(self.path), line=line, column=column)

    def _unreadable(self, error: Exception) -> Problem:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "strerror", None) or str(error)
        return Problem(
            message=f"the file cannot be read: {reason}", file=str(self.path),
            line=None if mark is None else mark.line + 1,
            column=None if mark is None else mark.column + 1,
        )  # fmt: skip

    def _read(self, node: yaml.Node | None, place: Path_) -> None:
        """Note where every value is, and refuse tags: they would run code."""
        if node is None:
            return
        self._places[place] = node.start_mark
        if id(node) in self._seen:
            self.problems.append(self.problem("anchors are not allowed in a local suite", place))
            return
        self._seen.add(id(node))
        if node.tag not in _PLAIN_TAGS:
            self.problems.append(self.problem(f"the tag {node.tag} is not allowed", place))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._read(value, (*place, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self._read(value, (*place, number))
