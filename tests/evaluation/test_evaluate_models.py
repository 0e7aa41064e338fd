"""Evaluation in the child process: scores, caching, interruption, memory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bot.errors import EnvironmentMissingError, EvaluationError, UsageError
from bot.evaluation import (
    Child,
    Settings,
    eval_key,
    evaluate_all,
    evaluate_model,
    load_suite_file,
    read_evaluation,
)
from bot.evaluation.evaluation_child import is_out_of_memory
from bot.events import Event
from bot.isolation import probe
from leaderboard.sample_scores import align
from tests.evaluation.conftest import CHILD, ITEMS, Ran, children, load_mini
from tests.evaluation.models import write_model
from tests.isolation.conftest import Planted
from tests.isolation.hostile import attempts

NO_CHILD = Child(launch=(sys.executable, "-c", "raise SystemExit('started a child')"))


def test_every_task_of_every_model_has_per_sample_scores(ran: Ran) -> None:
    for evaluation in ran.evaluations.values():
        assert list(evaluation.task_scores) == ["mini_say", "mini_pick"]
        for scores in evaluation.task_scores.values():
            assert scores.doc_ids == tuple(range(ITEMS))
            assert set(scores.scores.tolist()) <= {0.0, 1.0}
        assert evaluation.settings == ran.settings
        assert set(evaluation.versions) == {"lm-eval", "transformers", "torch"}


def test_generating_tasks_say_how_often_the_cap_was_hit(ran: Ran) -> None:
    scores = ran.evaluations["1" * 64].task_scores
    assert scores["mini_say"].capped is not None
    assert 0 <= scores["mini_say"].capped <= 1
    assert scores["mini_pick"].capped is None


def test_items_of_one_story_are_one_cluster(ran: Ran) -> None:
    clusters = ran.evaluations["1" * 64].task_scores["mini_pick"].clusters
    assert clusters is not None
    assert len(set(clusters)) == ITEMS // 3
    assert all(clusters[n] == clusters[n // 3 * 3] for n in range(ITEMS))


def test_the_same_weights_score_the_same(ran: Ran) -> None:
    first, again = ran.evaluations["1" * 64], ran.evaluations["3" * 64]
    for name, scores in first.task_scores.items():
        assert scores == again.task_scores[name]
        assert np.all(align(scores, again.task_scores[name]).differences == 0)


def test_progress_counts_items_up_to_all_of_them(ran: Ran) -> None:
    steps = [event for event in ran.events if event.kind == "advance"]
    done = [event.done for event in steps]
    assert done == sorted(done)
    assert steps[-1].done == steps[-1].total == 3 * 2 * ITEMS - ITEMS
    assert {event.unit for event in steps} == {"items"}


def test_what_is_known_is_not_run_again(ran: Ran) -> None:
    again = evaluate_all(
        list(ran.models.values()), ran.suite, ran.settings, store=ran.store, child=NO_CHILD
    )
    assert {key: e.task_scores for key, e in again.items()} == {
        key: e.task_scores for key, e in ran.evaluations.items()
    }


def test_a_broken_result_is_run_again(ran: Ran, tmp_path: Path) -> None:
    key = ran.evaluations["1" * 64].key
    copy = tmp_path / key / "tasks"
    copy.mkdir(parents=True)
    for file in (ran.store / key / "tasks").iterdir():
        (copy / file.name).write_bytes(file.read_bytes()[:-20])
    (tmp_path / key / "evaluation.json").write_bytes(
        (ran.store / key / "evaluation.json").read_bytes()
    )
    with pytest.raises(EvaluationError, match="started a child"):
        evaluate_all([ran.models["plain"]], ran.suite, ran.settings, store=tmp_path, child=NO_CHILD)


def test_results_of_other_versions_are_not_mistaken_for_these(ran: Ran, tmp_path: Path) -> None:
    key = ran.evaluations["1" * 64].key
    shutil.copytree(ran.store / key, tmp_path / key)
    manifest = tmp_path / key / "evaluation.json"
    assert read_evaluation(tmp_path / key) is not None
    content = json.loads(manifest.read_text())
    assert content["format"] == "mergebot.evaluation"
    manifest.write_text(json.dumps(content | {"version": content["version"] + 1}))
    with pytest.raises(EvaluationError, match="made by a newer mergebot"):
        read_evaluation(tmp_path / key)
    older = {name: value for name, value in content.items() if name not in {"format", "version"}}
    manifest.write_text(json.dumps(older))
    assert read_evaluation(tmp_path / key) is None


def test_the_key_names_everything_a_score_depends_on(ran: Ran, tmp_path: Path) -> None:
    other_suite = load_mini(tmp_path, max_length=300)
    keys = {
        eval_key("1" * 64, ran.suite, ran.settings),
        eval_key("2" * 64, ran.suite, ran.settings),
        eval_key("1" * 64, other_suite, ran.settings),
        eval_key("1" * 64, ran.suite, ran.settings.halved()),
        eval_key("1" * 64, ran.suite, Settings.of(ran.suite, dtype="bfloat16")),
        eval_key("1" * 64, ran.suite, Settings.of(ran.suite, limit=3)),
    }
    assert len(keys) == 6


def test_a_killed_child_loses_the_running_task_only(ran: Ran) -> None:
    """The resumed model is compared with the same weights evaluated in one go."""
    assert "SIGKILL" in ran.interrupted.message
    assert list(ran.kept) == ["mini_say.json"]
    resumed, in_one_go = ran.evaluations["1" * 64], ran.evaluations["3" * 64]
    again = (ran.store / resumed.key / "tasks/mini_say.json").stat()
    assert again.st_mtime_ns == ran.kept["mini_say.json"]
    assert resumed.task_scores == in_one_go.task_scores


FAKE_CHILD = """
import json, sys
from pathlib import Path
from bot.evaluation.child_request import OUT_OF_MEMORY, Request
from bot.evaluation.score_files import TaskRun
from leaderboard.sample_scores import TaskScores
request = Request.read(Path(sys.argv[1]))
asked = [str(request.settings.batch_size), *(s.name for s in request.subjects)]
print(json.dumps({{"kind": "note", "item": "asked " + " ".join(asked)}}), flush=True)
if request.settings.batch_size > {fits}:
    print(json.dumps({{"kind": "out_of_memory", "message": "16 GiB"}}), flush=True)
    sys.exit(OUT_OF_MEMORY)
for number, subject in enumerate(request.subjects):
    for task in request.suite.tasks:
        scores = TaskScores(task=task.name, metric=task.metric, binary=True,
            doc_ids=(0,), doc_hashes=("a",), target_hashes=("b",), prompt_hashes=("c",),
            scores=[1.0])
        run = TaskRun(scores=scores, questions={questions}, template=None, seconds=1.0)
        print(json.dumps({{"kind": "scores", "subject": number, "run": run.as_dict()}}), flush=True)
"""


def _fake(fits: int, questions: str = "'same'") -> Child:
    return Child(launch=(sys.executable, "-c", FAKE_CHILD.format(fits=fits, questions=questions)))


def _asked(events: list[Event]) -> list[str]:
    return [event.item[6:] for event in events if event.item.startswith("asked ")]


def test_out_of_memory_halves_the_batch_for_all_models_alike(ran: Ran, tmp_path: Path) -> None:
    models = list(ran.models.values())[:2]
    evaluate_all(models[:1], ran.suite, ran.settings, store=tmp_path, child=_fake(fits=99))

    events = list[Event]()
    found = evaluate_all(
        models, ran.suite, ran.settings, store=tmp_path, child=_fake(fits=1), report=events.append
    )
    assert {e.settings.batch_size for e in found.values()} == {1}
    assert _asked(events) == ["4 chatty", "2 plain chatty", "1 plain chatty"]

    events.clear()
    evaluate_all(
        models, ran.suite, ran.settings, store=tmp_path, child=_fake(fits=1), report=events.append
    )
    assert not _asked(events)


def test_one_item_that_does_not_fit_is_an_error(ran: Ran, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="single item"):
        evaluate_all(
            [ran.models["plain"]], ran.suite, ran.settings, store=tmp_path, child=_fake(fits=0)
        )


def test_models_that_were_asked_other_questions_are_not_compared(ran: Ran, tmp_path: Path) -> None:
    models = list(ran.models.values())[:2]
    with pytest.raises(EvaluationError, match="asked chatty other questions than plain"):
        evaluate_all(
            models, ran.suite, ran.settings, store=tmp_path,
            child=_fake(fits=9, questions="subject.name"),
        )  # fmt: skip


def test_scores_of_a_task_that_was_not_asked_are_refused(ran: Ran, tmp_path: Path) -> None:
    """A child that an untrusted model has taken over can only answer for its own tasks."""
    code = FAKE_CHILD.format(fits=9, questions="''").replace("task=task.name", "task='other'")
    child = Child(launch=(sys.executable, "-c", code))
    with pytest.raises(EvaluationError, match="scores of other"):
        evaluate_all([ran.models["plain"]], ran.suite, ran.settings, store=tmp_path, child=child)


def test_an_unknown_backend_is_refused_with_those_there_are(ran: Ran, tmp_path: Path) -> None:
    other = replace(ran.settings, backend="hff")
    with pytest.raises(UsageError, match="no evaluation backend named 'hff'") as caught:
        evaluate_all([ran.models["plain"]], ran.suite, other, store=tmp_path, child=NO_CHILD)
    assert "hf" in (caught.value.hint or "")


def test_a_child_that_says_nothing_is_stopped(ran: Ran, tmp_path: Path) -> None:
    before = children()
    sleeper = Child(launch=(sys.executable, "-c", "import time; time.sleep(60)"), stall_seconds=0.3)
    with pytest.raises(EvaluationError, match="sent nothing"):
        evaluate_all([ran.models["plain"]], ran.suite, ran.settings, store=tmp_path, child=sleeper)
    assert children() == before


def test_a_crash_shows_its_cause_and_where_the_log_is(ran: Ran, tmp_path: Path) -> None:
    crash = Child(launch=(sys.executable, "-c", "raise KeyError('the reason')"))
    with pytest.raises(EvaluationError, match="KeyError: 'the reason'") as caught:
        evaluate_all([ran.models["plain"]], ran.suite, ran.settings, store=tmp_path, child=crash)
    assert "Traceback" not in caught.value.message
    (log,) = tmp_path.glob("*/log.txt")
    assert str(log) in (caught.value.hint or "")
    assert "Traceback" in log.read_text()


def test_another_lm_eval_than_the_suites_is_refused(ran: Ran, tmp_path: Path) -> None:
    other = replace(ran.suite, data=ran.suite.data.model_copy(update={"lm_eval": "0.3.0"}))
    with pytest.raises(EnvironmentMissingError, match=r"needs lm-eval 0\.3\.0"):
        evaluate_all([ran.models["plain"]], other, ran.settings, store=tmp_path, child=NO_CHILD)


def test_running_out_of_memory_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    assert not is_out_of_memory(RuntimeError("shape mismatch"))


def test_the_child_sees_no_token_and_a_home_of_its_own(ran: Ran, tmp_path: Path) -> None:
    code = "import json, os, sys; print(json.dumps(dict(os.environ)), file=sys.stderr)"
    secrets = {"HF_TOKEN": "hf_secret", "AWS_SECRET_ACCESS_KEY": "x", "HTTPS_PROXY": "http://u:p@h"}
    child = Child(launch=(sys.executable, "-c", code), environ={**os.environ, **secrets})
    with pytest.raises(EvaluationError, match="no scores"):
        evaluate_all([ran.models["plain"]], ran.suite, ran.settings, store=tmp_path, child=child)
    (log,) = tmp_path.glob("*/log.txt")
    environment = json.loads(log.read_text())
    assert not set(secrets) & set(environment)
    assert environment["HOME"] != os.environ.get("HOME")
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["HF_HOME"].startswith(environment["HOME"])


def test_the_child_reaches_no_secret_file_nor_the_network(
    ran: Ran, tmp_path: Path, planted: Planted
) -> None:
    hostile = Path(__file__).parents[1] / "isolation/hostile.py"
    request = planted.request(tmp_path)
    code = f"""
import json, pathlib, sys
sys.argv = ["hostile", "hostile.json"]
pathlib.Path("hostile.json").write_text({json.dumps(request)!r})
sys.stdout = sys.stderr
exec({hostile.read_text()!r}, {{"__name__": "__main__", "__file__": {str(hostile)!r}}})
"""
    child = Child(launch=(sys.executable, "-c", code), environ=planted.environ)
    with pytest.raises(EvaluationError, match="no scores"):
        evaluate_all(
            [ran.models["plain"]], ran.suite, ran.settings, store=tmp_path / "s", child=child
        )
    (log,) = (tmp_path / "s").glob("*/log.txt")
    reached = {name for name, found in json.loads(log.read_text())["reached"].items() if found}
    allowed = set() if probe().files == "landlock" else set(attempts(request))
    assert reached <= allowed


@pytest.mark.slow
def test_a_rewritten_file_of_the_same_size_and_time_is_read_anew(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    first = load_mini(tmp_path / "mini")
    data = tmp_path / "mini/data/test.jsonl"
    before = data.stat()
    known = evaluate_model(model, "1" * 64, first, Settings.of(first), tmp_path, child=CHILD)
    data.write_text(data.read_text().replace('"prompt": "q', '"prompt": "z'))
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert data.stat().st_size == before.st_size

    second = load_suite_file(tmp_path / "mini/mini.yaml", search=[tmp_path / "mini"])
    fresh = evaluate_model(model, "1" * 64, second, Settings.of(second), tmp_path, child=CHILD)
    assert second.digest != first.digest
    old, new = known.task_scores["mini_pick"], fresh.task_scores["mini_pick"]
    assert not set(old.doc_hashes) & set(new.doc_hashes)


@pytest.mark.slow
def test_a_child_does_not_outlive_a_killed_parent(ran: Ran, tmp_path: Path) -> None:
    """The parent is killed at the first word; the child finds its pipe broken and ends."""
    code = f"""
import os, signal
from pathlib import Path
from bot.evaluation import Model, Settings, evaluate_all, load_suite_file
folder = Path({str(ran.models["plain"].path.parent)!r}) / "mini"
suite = load_suite_file(folder / "mini.yaml", search=[folder])
def die(event):
    if event.kind == "advance":
        listed = Path(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read_text()
        Path({str(tmp_path / "pid")!r}).write_text(listed)
        os.kill(os.getpid(), signal.SIGKILL)
models = [Model(name=n, path=Path({str(ran.models["plain"].path)!r}), digest=n) for n in "abcdef"]
evaluate_all(models, suite, Settings.of(suite), store=Path({str(tmp_path / "s")!r}), report=die)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=dict(CHILD.environ))
    assert done.returncode == -signal.SIGKILL
    child = Path("/proc") / (tmp_path / "pid").read_text().strip()
    deadline = time.monotonic() + 300
    while child.exists() and _state(child) != "Z" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not child.exists() or _state(child) == "Z"
    assert len(list((tmp_path / "s").rglob("mini_*.json"))) < 6 * 2, "it went on to the end"


def _state(process: Path) -> str:
    return process.joinpath("stat").read_text().rpartition(")")[2].split()[0]
