"""Suites as data: which tasks, under which settings, and what a score of zero skill looks like.

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
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.errors import EvaluationError

PACKAGED = Path(__file__).with_name("suites")
_PACKAGE = Path(__file__).parent.parent
SEARCH_PATH: tuple[Path, ...] = (_PACKAGE.parent / "recipes", _PACKAGE / "shipped")
"""Where task families are looked for: the clone's ``recipes/``, then the wheel's copy of it."""

LM_EVAL_PREFIX = "lm_eval:"
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,95}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Dataset(_Strict):
    """A dataset on the Hub that a task reads; ``revision`` pins it where it is known."""

    repo: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
    config: str | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    gated: bool = False

    @property
    def folder(self) -> str:
        """Where a frozen copy lies inside a folder of frozen datasets."""
        return f"{self.repo.replace('/', '__')}/{self.config or 'default'}"


class Part(_Strict):
    """A frozen part of a task's items: those with the smallest sha256(salt + ":" + doc[key])."""

    key: str
    count: Annotated[int, Field(ge=1)]
    salt: str


class TaskSpec(_Strict):
    """One task of a suite and how its score is read.

    ``binary`` metrics are 0 or 1 on every item. ``lower_bound`` is the score of guessing.
    ``few_shot`` and ``max_gen_toks`` replace the task file's own values where given.
    ``few_shot_first`` takes the first examples of the few-shot split instead of lm-eval's draw,
    which depends on an item's position. ``cluster`` names the field of an item that several items
    share (a passage, a story). Tasks of one ``group`` count as one benchmark in the headline.
    ``sentence_splitter`` says that scoring needs NLTK's punkt_tab data.
    """

    name: Name
    file: str
    title: str
    metric: str
    binary: bool = True
    filter: str = "none"
    lower_bound: Annotated[float, Field(ge=0, lt=1)] = 0.0
    group: str | None = None
    few_shot: Annotated[int, Field(ge=0)] | None = None
    few_shot_first: bool = False
    max_gen_toks: Annotated[int, Field(ge=1)] | None = None
    cluster: str | None = None
    dataset: Dataset | None = None
    part: Part | None = None
    sentence_splitter: bool = False

    @property
    def shipped_with_lm_eval(self) -> bool:
        """Whether the task file is lm-eval's own."""
        return self.file.startswith(LM_EVAL_PREFIX)


class SuiteData(_Strict):
    """What a suite's YAML file says."""

    name: Name
    version: str
    title: str
    description: str
    split: Literal["report", "search", "test"] = "test"
    lm_eval: str
    dtype: Literal["float32", "bfloat16", "float16"]
    batch_size: Annotated[int, Field(ge=1)]
    max_length: Annotated[int, Field(ge=2)]
    apply_chat_template: bool = False
    few_shot_as_multiturn: bool = False
    normalised: bool = False
    publish_samples: bool = True
    example_prompts: tuple[str, ...] = ()
    tasks: Annotated[tuple[TaskSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _task_names_differ(self) -> Self:
        names = [task.name for task in self.tasks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"tasks named twice: {', '.join(twice)}")
        return self


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite and where its files are.

    ``search`` is the path along which its own task files are found. ``frozen`` is a folder with
    frozen copies of its datasets, ``<owner>__<name>/<config>/<split>.jsonl``; with it nothing is
    fetched.
    """

    data: SuiteData
    search: tuple[Path, ...] = SEARCH_PATH
    frozen: Path | None = None

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
                yield from sorted((self.frozen / task.dataset.folder).glob("*.jsonl"))

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
            f"there is no suite named {name!r}", hint=f"the suites are {', '.join(known)}"
        )
    return load_suite_file(folder / f"{name}.yaml", search=search)


def load_suite_file(path: Path, *, search: Sequence[Path] = SEARCH_PATH) -> Suite:
    """Read an operator's suite file. Strangers' recipes can only name suites, never bring one.

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
    return Suite(data=data, search=tuple(folder.resolve() for folder in search))


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
