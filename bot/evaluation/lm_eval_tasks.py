"""From a suite's task files to lm-eval tasks; the suite decides shots, data and length."""

from __future__ import annotations

import hashlib
import heapq
import random
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from lm_eval import tasks as lm_eval_tasks
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from bot.errors import EnvironmentMissingError, EvaluationError, MergebotError
from bot.evaluation.dataset_access import copy_of
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.suite_catalog import Suite, data_files, frozen_files
from bot.evaluation.suite_schema import LM_EVAL_PREFIX, Dataset, Part, TaskSpec

LM_EVAL_TASKS = Path(lm_eval_tasks.__file__).parent


def load_task(spec: TaskSpec, suite: Suite, settings: Settings) -> Any:
    """The lm-eval task of a spec, its data loaded.

    The seeds are set first: a task may draw from the global generators while it loads (GPQA
    shuffles its choices), and must draw the same on every machine whatever was loaded before.

    Raises:
        EnvironmentMissingError: a Python package or a data file of the task's own is missing.
        EvaluationError: the dataset is not here, or does not have the form the task expects.
    """
    if spec.sentence_splitter:
        _require_sentence_splitter(spec)
    seed_everything(settings)
    try:
        config = _config(spec, suite)
        loaded = TaskManager(include_defaults=False).load(config)["tasks"]
    except ModuleNotFoundError as error:
        raise EnvironmentMissingError(
            f"task {spec.name} needs the Python package {error.name or error}",
            hint="pip install 'mergebot[eval]'",
        ) from error
    except (MergebotError, MemoryError):
        raise
    except Exception as error:  # tasks and datasets bring code of their own
        raise _cannot_load(spec, suite, error) from error
    task = loaded[spec.name]
    task.set_fewshot_seed(settings.seeds["fewshot"])
    return task


def chosen_items(task: Any, spec: TaskSpec, limit: int | None) -> list[int] | None:
    """The positions of the items to score in ascending order, None for all of them."""
    if spec.part is not None:
        positions = _frozen_part(task.eval_docs, spec.part)
    elif limit is not None:
        positions = list(range(len(task.eval_docs)))
    else:
        return None
    return positions[:limit]


def seed_everything(settings: Settings) -> None:
    """Set the global generators of Python, NumPy and torch to the settings' seeds."""
    import torch

    random.seed(settings.seeds["python"])
    np.random.seed(settings.seeds["numpy"])  # noqa: NPY002 (lm-eval's tasks use the global one)
    torch.manual_seed(settings.seeds["torch"])


def _config(spec: TaskSpec, suite: Suite) -> dict[str, Any]:
    """The task file's content with the suite's overrides; ``!function`` tags are resolved."""
    if spec.shipped_with_lm_eval:
        path = LM_EVAL_TASKS / spec.file.removeprefix(LM_EVAL_PREFIX)
        _provide_pkg_resources()
    else:
        path = suite.task_file(spec)
    config: dict[str, Any] = load_yaml(path)
    if config.get("task") != spec.name:
        raise EvaluationError(f"{path} defines task {config.get('task')!r}, not {spec.name!r}")
    config["metadata"] = {**(config.get("metadata") or {}), "suite": suite.name}
    _override_data(config, path, spec, suite)
    if spec.few_shot is not None:
        config["num_fewshot"] = spec.few_shot
    if spec.few_shot_first:
        config["fewshot_config"] = {**(config.get("fewshot_config") or {}), "sampler": "first_n"}
    if spec.max_gen_toks is not None:
        generation = config.get("generation_kwargs") or {}
        config["generation_kwargs"] = {**generation, "max_gen_toks": spec.max_gen_toks}
    return config


def _override_data(config: dict[str, Any], path: Path, spec: TaskSpec, suite: Suite) -> None:
    """Point the task at files on this disk: its own, frozen ones, or fetched ones."""
    if spec.dataset is None:
        files = dict(data_files(path))
    else:
        folder = _dataset_folder(spec, spec.dataset, suite)
        files = {file.stem: file for file in frozen_files(folder)}
        if not files:
            raise EvaluationError(
                f"task {spec.name}: no copy of {spec.dataset.repo} in {folder}",
                hint="put one <split>.jsonl or <split>.parquet per split there",
            )
    kinds = {"parquet" if file.suffix == ".parquet" else "json" for file in files.values()}
    if len(kinds) > 1:
        raise EvaluationError(f"task {spec.name}: its splits are partly jsonl and partly parquet")
    config["dataset_path"], config["dataset_name"] = kinds.pop() if kinds else "json", None
    config["dataset_kwargs"] = {"data_files": {split: str(file) for split, file in files.items()}}


def _dataset_folder(spec: TaskSpec, dataset: Dataset, suite: Suite) -> Path:
    if suite.frozen is not None:
        return suite.frozen / dataset.folder
    if suite.copies is not None:
        return copy_of(suite.copies, dataset)
    raise EvaluationError(f"task {spec.name}: its dataset {dataset.repo} was not fetched")


def _frozen_part(docs: Any, part: Part) -> list[int]:
    def rank(position: int) -> bytes:
        return hashlib.sha256(f"{part.salt}:{keys[position]}".encode()).digest()

    keys = docs[part.key]
    return sorted(heapq.nsmallest(part.count, range(len(keys)), key=rank))


def _cannot_load(spec: TaskSpec, suite: Suite, error: Exception) -> EvaluationError:
    reason = f"{type(error).__name__}: {error}"
    return EvaluationError(
        f"task {spec.name} of suite {suite.name} does not load: {reason}",
        hint="check that its data files have the dataset's own columns",
    )


def _require_sentence_splitter(spec: TaskSpec) -> None:
    """NLTK's data are no Python package; the task would try to download them by itself."""
    import nltk  # type: ignore[import-untyped]  # it has no types

    try:
        nltk.data.find("tokenizers/punkt_tab/english/")
    except LookupError as error:
        raise EnvironmentMissingError(
            f"task {spec.name} needs NLTK's punkt_tab data, which are in none of "
            f"{', '.join(nltk.data.path)}",
            hint="run `python -m nltk.downloader punkt_tab` once with a network, or set NLTK_DATA",
        ) from error


def _provide_pkg_resources() -> None:
    """Stand in for ``pkg_resources``, which setuptools dropped and leaderboard_ifeval imports.

    The task asks it one thing only: the version of an installed distribution.
    """
    if "pkg_resources" in sys.modules:
        return
    module = ModuleType("pkg_resources")
    module.get_distribution = lambda name: SimpleNamespace(  # type: ignore[attr-defined]  # a module made by hand
        version=metadata.version(name)
    )
    sys.modules["pkg_resources"] = module
