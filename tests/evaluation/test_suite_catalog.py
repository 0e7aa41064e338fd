"""Suites as data: what they say, what they depend on, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import EvaluationError
from bot.evaluation import load_suite_file, suite, suite_names, suites
from tests.evaluation.conftest import load_mini, write_suite

ROOT = Path(__file__).parent.parent.parent


def test_the_packaged_suites_are_valid() -> None:
    assert {"skills", "skills-search", "quick", "open-llm-leaderboard-v2"} <= set(suite_names())
    for each in suites():
        assert each.data.example_prompts
        assert sum(each.weights().values()) == pytest.approx(1.0)


def test_skills_finds_its_tasks_in_the_clone_and_splits_share_no_item() -> None:
    report, search = suite("skills"), suite("skills-search")
    first, second = set(report.local_files()), set(search.local_files())
    assert len(first) == 2 * len(report.tasks)
    assert not first & second
    assert report.digest != search.digest
    assert not report.fetched()


def test_skills_is_found_along_a_search_path(tmp_path: Path) -> None:
    lost = suite("skills", search=[tmp_path])
    with pytest.raises(EvaluationError, match=r"skills_reverse\.yaml"):
        _ = lost.digest
    (tmp_path / "skills").symlink_to(ROOT / "recipes" / "skills")
    assert suite("skills", search=[tmp_path]).digest == suite("skills").digest


def test_benchmarks_weigh_alike_and_so_do_tasks_inside_one() -> None:
    board = suite("open-llm-leaderboard-v2")
    weights = board.weights()
    groups: dict[str, list[float]] = {}
    for task in board.tasks:
        groups.setdefault(task.group or task.name, []).append(weights[task.name])
    assert len(groups) == 6
    for shares in groups.values():
        assert sum(shares) == pytest.approx(1 / 6)
        assert len(set(shares)) == 1
    assert {name: len(shares) for name, shares in groups.items() if len(shares) > 1} == {
        "BBH": 24, "MATH": 7, "MuSR": 3,
    }  # fmt: skip


def test_gpqa_is_not_counted_three_times_nor_shown() -> None:
    board = suite("open-llm-leaderboard-v2")
    assert [task.name for task in board.tasks if "gpqa" in task.name] == ["leaderboard_gpqa_main"]
    assert not board.data.publish_samples
    assert any(dataset.gated for dataset in board.fetched())


def test_the_digest_follows_every_byte_it_depends_on(tmp_path: Path) -> None:
    before = load_mini(tmp_path).digest
    assert load_mini(tmp_path).digest == before
    data = tmp_path / "data/dev.jsonl"
    times = data.stat()
    data.write_text(data.read_text().replace("d1", "e1"))
    os.utime(data, ns=(times.st_atime_ns, times.st_mtime_ns))
    rewritten = load_suite_file(tmp_path / "mini.yaml", search=[tmp_path]).digest
    task = tmp_path / "mini_say.yaml"
    task.write_text(task.read_text() + "\n# a word\n")
    edited = load_suite_file(tmp_path / "mini.yaml", search=[tmp_path]).digest
    other = load_mini(tmp_path / "again", version="2").digest
    assert len({before, rewritten, edited, other}) == 4


def test_frozen_copies_are_part_of_the_digest(tmp_path: Path) -> None:
    copy = tmp_path / "openai__gsm8k/main"
    copy.mkdir(parents=True)
    (copy / "test.jsonl").write_text("{}\n")
    first = suite("quick").with_frozen(tmp_path).digest
    (copy / "test.jsonl").write_text('{"a": 1}\n')
    assert len({suite("quick").digest, first, suite("quick").with_frozen(tmp_path).digest}) == 3


def test_an_unknown_suite_names_those_there_are() -> None:
    with pytest.raises(EvaluationError, match="no suite named") as caught:
        suite("../../etc/passwd")
    assert "quick" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tasks": []}, "tasks"),
        ({"colour": "red"}, "colour"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": "4"}, "batch_size"),
        ({"name": "../x"}, "name"),
        ({"dtype": "int8"}, "dtype"),
        (
            {"tasks": [{"name": "a", "file": "a", "title": "a", "metric": "acc"}] * 2},
            "tasks named twice: a",
        ),
        (
            {"tasks": [{"name": "a", "file": "a", "title": "a", "metric": "acc",
                        "dataset": {"repo": "not-a-repo"}}]},
            "repo",
        ),
    ],
)  # fmt: skip
def test_a_broken_suite_file_is_refused(
    change: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(EvaluationError, match=said):
        load_suite_file(write_suite(tmp_path, **change))


def test_reading_a_suite_runs_no_code_of_its_task_files(tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    marker = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\ndef f(doc): return 1\n")
    task = tmp_path / "mini_say.yaml"
    task.write_text(task.read_text() + "process_results: !function evil.f\n")
    assert load_suite_file(path, search=[tmp_path]).digest
    assert not marker.exists()


def test_importing_evaluation_and_check_loads_no_torch() -> None:
    code = (
        "import sys, bot.evaluation, bot.check; "
        "print([m for m in ('torch', 'transformers', 'lm_eval', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
