"""Datasets of a suite: pinned before they are read, fetched by a process that loads no model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bot.errors import EvaluationError
from bot.evaluation import (
    DatasetAccess,
    Settings,
    Suite,
    evaluate_all,
    load_suite_file,
    pin_suite,
    prepare_suite,
)
from bot.evaluation.evaluate_models import Model
from bot.evaluation.suite_pins import pins_beside, write_pins
from bot.events import Event, silent
from tests.evaluation.conftest import CHILD, ITEMS, rows, write_suite

REPO, COMMIT, LATER = "org/mini", "1" * 40, "2" * 40

FETCH = """
import json, os, sys
import pyarrow as pa, pyarrow.parquet as pq
request = json.load(open(sys.argv[1]))
print("token", os.environ.get("HF_TOKEN"), file=sys.stderr)
if {fails}:
    raise PermissionError("gated: " + os.environ["HF_TOKEN"])
for split in ("test", "dev"):
    table = pa.Table.from_pylist(json.loads({content!r})[split])
    pq.write_table(table, request["folder"] + "/" + split + ".parquet")
"""


class Commits:
    """Answers for the Hub, and counts the questions."""

    def __init__(self, commit: str = COMMIT) -> None:
        self.commit = commit
        self.asked: list[str] = []

    def __call__(self, repo: str) -> str:
        self.asked.append(repo)
        return self.commit


def hub_suite(folder: Path, **dataset: str) -> Suite:
    """The small suite with its data on a Hub."""
    path = write_suite(folder)
    content = yaml.safe_load(path.read_text())
    for task in content["tasks"]:
        task["dataset"] = {"repo": REPO, **dataset}
    path.write_text(yaml.safe_dump(content))
    return load_suite_file(path, search=[folder])


def access(commits: Commits, *, fails: bool = False, offline: bool = False) -> DatasetAccess:
    content = json.dumps({"test": rows("q"), "dev": rows("d")})
    code = FETCH.format(fails=fails, content=content)
    return DatasetAccess(
        commit_of=commits, token="hf_dataset_token_0123456789", offline=offline,
        launch=(sys.executable, "-c", code),
    )  # fmt: skip


def test_a_suite_is_pinned_at_its_first_use_and_stays_so(tmp_path: Path) -> None:
    suite, commits = hub_suite(tmp_path / "suite"), Commits()
    first = pin_suite(suite, tmp_path, access(commits))
    commits.commit = LATER
    again = pin_suite(suite, tmp_path, access(commits))
    assert {one.revision for one in first.fetched()} == {COMMIT}
    assert again == first
    assert commits.asked == [REPO]
    moved = pin_suite(suite, tmp_path, access(commits), update=True)
    assert {one.revision for one in moved.fetched()} == {LATER}
    assert len({suite.digest, first.digest, moved.digest}) == 3


def test_pins_in_the_suites_file_and_beside_it_come_first(tmp_path: Path) -> None:
    commits = Commits(LATER)
    written = hub_suite(tmp_path / "a", revision=COMMIT)
    assert pin_suite(written, tmp_path, access(commits)) == written
    suite = hub_suite(tmp_path / "b")
    path = tmp_path / "b/mini.yaml"
    write_pins(pins_beside(path), {REPO: COMMIT})
    beside = load_suite_file(path, search=[tmp_path / "b"])
    assert pin_suite(beside, tmp_path, access(commits)) == beside
    assert {one.revision for one in beside.fetched()} == {COMMIT}
    assert beside.digest != suite.digest
    assert not commits.asked


def test_a_broken_file_of_pins_is_refused(tmp_path: Path) -> None:
    suite = hub_suite(tmp_path / "suite")
    write_pins(tmp_path / "datasets/pins.json", {REPO: "main"})
    with pytest.raises(EvaluationError, match="40 hex digits"):
        pin_suite(suite, tmp_path, access(Commits()))


def test_data_are_fetched_once_with_a_token_that_the_evaluation_does_not_have(
    plain: Path, tmp_path: Path
) -> None:
    suite, commits, events = hub_suite(tmp_path / "suite"), Commits(), list[Event]()
    ready = prepare_suite(suite, tmp_path, access(commits), events.append)
    assert [event.item for event in events if event.kind == "start"] == [
        f"dataset {REPO} at {COMMIT}"
    ]
    found = evaluate_all(
        [Model(name="plain", path=plain, digest="1" * 64)], ready, Settings.of(ready),
        store=tmp_path, child=CHILD,
    )  # fmt: skip
    assert {len(scores) for scores in found["1" * 64].task_scores.values()} == {ITEMS}
    again = prepare_suite(suite, tmp_path, access(commits, fails=True), silent)
    assert again.digest == ready.digest
    offline = prepare_suite(suite, tmp_path, access(commits, offline=True), silent)
    assert offline.digest == ready.digest
    assert not list((tmp_path / "datasets/org__mini" / COMMIT).glob(".fetching-*"))


def test_a_dataset_that_cannot_be_fetched_is_named_without_the_token(tmp_path: Path) -> None:
    suite = hub_suite(tmp_path / "suite")
    with pytest.raises(EvaluationError, match=f"{REPO} could not be fetched") as caught:
        prepare_suite(suite, tmp_path, access(Commits(), fails=True), silent)
    assert "PermissionError: gated" in caught.value.message
    assert "hf_dataset_token" not in caught.value.message
    assert not (tmp_path / "datasets/org__mini" / COMMIT / "default").exists()


@pytest.mark.parametrize("pinned", [{}, {"revision": COMMIT}])
def test_without_a_network_nothing_is_looked_up(tmp_path: Path, pinned: dict[str, str]) -> None:
    commits = Commits()
    with pytest.raises(EvaluationError, match="network is switched off") as caught:
        prepare_suite(
            hub_suite(tmp_path / "suite", **pinned), tmp_path, access(commits, offline=True), silent
        )
    assert REPO in caught.value.message
    assert "--datasets" in (caught.value.hint or "")
    assert not commits.asked


def test_a_suite_whose_data_were_not_fetched_is_not_evaluated(plain: Path, tmp_path: Path) -> None:
    suite = hub_suite(tmp_path / "suite", revision=COMMIT)
    with pytest.raises(EvaluationError, match="were not fetched"):
        evaluate_all(
            [Model(name="plain", path=plain, digest="1" * 64)], suite, Settings.of(suite),
            store=tmp_path, child=replace(CHILD, launch=("false",)),
        )  # fmt: skip


def test_a_frozen_parquet_copy_is_read_like_jsonl(plain: Path, tmp_path: Path) -> None:
    suite = hub_suite(tmp_path / "suite")
    ready = prepare_suite(suite, tmp_path, access(Commits()), silent)
    fetched = tmp_path / "datasets/org__mini" / COMMIT / "default"
    frozen = tmp_path / "frozen/org__mini/default"
    frozen.parent.mkdir(parents=True)
    fetched.rename(frozen)
    model = [Model(name="plain", path=plain, digest="1" * 64)]
    copied = suite.with_frozen(tmp_path / "frozen")
    found = evaluate_all(model, copied, Settings.of(copied), store=tmp_path, child=CHILD)
    assert len(found["1" * 64].task_scores["mini_say"]) == ITEMS
    assert ready.digest != copied.digest


def modules(code: str) -> Sequence[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answer: list[str] = json.loads(done.stdout)
    return answer


def test_the_fetching_process_imports_no_model_library() -> None:
    code = (
        "import json, sys; import bot.evaluation.fetch_child, datasets; print(json.dumps("
        "[m for m in ('transformers', 'lm_eval') if m in sys.modules]))"
    )
    assert modules(code) == []
