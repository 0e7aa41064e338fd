"""A small suite over local files, two random models, and one child process run they all share."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.errors import EvaluationError
from bot.evaluation import (
    Child,
    Evaluation,
    Model,
    Settings,
    Suite,
    eval_key,
    evaluate_all,
    load_suite_file,
)
from bot.events import Event
from tests.evaluation.models import TEMPLATE, write_model
from tests.isolation.conftest import planted

__all__ = ["planted"]

# The datasets library reads this once, when a test in this process first imports it.
os.environ.setdefault("HF_DATASETS_CACHE", tempfile.mkdtemp(prefix="mergebot-test-datasets-"))

CHILD = Child(environ={**os.environ, "OMP_NUM_THREADS": "1"})
ITEMS = 12


def rows(seed: str, count: int = ITEMS) -> list[dict[str, Any]]:
    """Questions with two choices; every story is shared by three of them."""
    return [
        {
            "prompt": f"{seed}{n}=",
            "answer": "yn"[n % 2],
            "choices": ["y", "n"],
            "story": f"story {n // 3}",
        }
        for n in range(count)
    ]


def write_rows(path: Path, content: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in content))


def task_yaml(name: str, **more: Any) -> str:
    common = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": "data/test.jsonl", "dev": "data/dev.jsonl"}},
        "test_split": "test",
        "fewshot_split": "dev",
        "doc_to_text": "{{prompt}}",
        "target_delimiter": "",
    }
    return yaml.safe_dump(common | more)


GENERATE = {
    "output_type": "generate_until",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
CHOOSE = {
    "output_type": "multiple_choice",
    "doc_to_choice": "choices",
    "doc_to_target": "{{choices.index(answer)}}",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}


def write_suite(folder: Path, **replaced: Any) -> Path:
    """The suite's file, its two task files and their data, in one folder."""
    write_rows(folder / "data/test.jsonl", rows("q"))
    write_rows(folder / "data/dev.jsonl", rows("d"))
    (folder / "mini_say.yaml").write_text(task_yaml("mini_say", **GENERATE))
    (folder / "mini_pick.yaml").write_text(task_yaml("mini_pick", **CHOOSE))
    content: dict[str, Any] = {
        "name": "mini", "version": "1", "title": "Mini", "description": "A test.",
        "lm_eval": "0.4.13", "dtype": "float32", "batch_size": 4, "max_length": 256, "threads": 1,
        "tasks": [
            {"name": "mini_say", "file": "mini_say.yaml", "title": "Say", "metric": "exact_match",
             "few_shot": 1, "few_shot_first": True},
            {"name": "mini_pick", "file": "mini_pick.yaml", "title": "Pick", "metric": "acc",
             "cluster": "story", "lower_bound": 0.5},
        ],
    }  # fmt: skip
    path = folder / "mini.yaml"
    path.write_text(yaml.safe_dump(content | replaced))
    return path


def load_mini(folder: Path, **replaced: Any) -> Suite:
    return load_suite_file(write_suite(folder, **replaced), search=[folder])


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What the shared run left: two models, and the first again under another digest.

    The first model's child was killed in its second task before; ``interrupted`` is the error of
    that, ``kept`` the result files there were then with their times.
    """

    suite: Suite
    settings: Settings
    store: Path
    models: Mapping[str, Model]
    evaluations: Mapping[str, Evaluation]
    events: list[Event]
    interrupted: EvaluationError
    kept: Mapping[str, int]


def children() -> list[int]:
    """The processes this one has started and not yet waited for."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return [int(pid) for pid in listed.split()]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="session")
def plain(folder: Path) -> Path:
    return write_model(folder / "plain", seed=0)


@pytest.fixture(scope="session")
def chatty(folder: Path) -> Path:
    return write_model(folder / "chatty", seed=1, template=TEMPLATE)


@pytest.fixture(scope="session")
def mini(folder: Path) -> Suite:
    return load_mini(folder / "mini")


@pytest.fixture(scope="session")
def ran(folder: Path, plain: Path, chatty: Path, mini: Suite) -> Ran:
    models = [
        Model(name="plain", path=plain, digest="1" * 64),
        Model(name="chatty", path=chatty, digest="2" * 64),
        Model(name="plain again", path=plain, digest="3" * 64),
    ]
    settings, events = Settings.of(mini), list[Event]()
    store = folder / "store"

    def kill_in_the_second_task(event: Event) -> None:
        if event.item.endswith("mini_pick"):
            for pid in children():
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(EvaluationError) as caught:
        evaluate_all(
            models[:1], mini, settings, store=store, report=kill_in_the_second_task, child=CHILD
        )
    tasks = store / eval_key(models[0].digest, mini, settings) / "tasks"
    kept = {file.name: file.stat().st_mtime_ns for file in tasks.iterdir()}
    found = evaluate_all(models, mini, settings, store=store, report=events.append, child=CHILD)
    return Ran(
        suite=mini, settings=settings, store=store, events=events, evaluations=found,
        interrupted=caught.value, kept=kept,
        models={model.name: model for model in models},
    )  # fmt: skip
