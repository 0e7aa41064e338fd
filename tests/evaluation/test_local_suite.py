"""A suite of one's own: used by its path, and every mistake is reported with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.errors import EvaluationError
from bot.evaluation import Settings, evaluate_model
from bot.evaluation.local_suite import is_local_suite, load_local_suite
from tests.cli.commands import run
from tests.evaluation.conftest import CHILD, ITEMS, write_suite


def line_of(path: Path, text: str) -> int:
    return next(
        number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line
    )


def problems(path: Path) -> list[tuple[str, int | None, str]]:
    with pytest.raises(EvaluationError) as caught:
        load_local_suite(path)
    found = caught.value.problems()
    return [(Path(one.file or "").name, one.line, one.message) for one in found]


def test_a_suite_beside_its_tasks_is_evaluated_and_marked(plain: Path, tmp_path: Path) -> None:
    suite = load_local_suite(write_suite(tmp_path / "suite"))
    assert suite.data.local
    assert suite.data.title == "Mini (local suite)"
    found = evaluate_model(plain, "1" * 64, suite, Settings.of(suite), tmp_path, child=CHILD)
    assert {len(scores) for scores in found.task_scores.values()} == {ITEMS}


@pytest.mark.parametrize(
    ("name", "local"), [("quick", False), ("./my.yaml", True), ("~/a/b.yml", True)]
)
def test_a_file_is_told_from_a_name(name: str, local: bool) -> None:
    assert is_local_suite(name) is local


def test_every_mistake_of_the_suites_file_has_its_line(tmp_path: Path) -> None:
    path = write_suite(tmp_path, batch_size=0, dtype="int8", colour="red")
    found = problems(path)
    assert {(line, message.split(":")[0]) for _, line, message in found} == {
        (line_of(path, "batch_size"), "batch_size"),
        (line_of(path, "dtype"), "dtype"),
        (line_of(path, "colour"), "colour"),
    }


def test_mistakes_of_several_task_files_are_reported_at_once(tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    say, pick = tmp_path / "mini_say.yaml", tmp_path / "mini_pick.yaml"
    (tmp_path / "data/dev.jsonl").unlink()
    pick.write_text(pick.read_text().replace("task: mini_pick", "task: other"))
    say.write_text(say.read_text() + "include_path: /somewhere\n")
    found = problems(path)
    assert ("mini_say.yaml", line_of(say, "include_path"),
            "include_path: `include_path` is not allowed in a local suite") in found  # fmt: skip
    assert ("mini_pick.yaml", line_of(pick, "task: other"),
            "task: this file defines task 'other', not 'mini_pick'") in found  # fmt: skip
    missing = [message for _, _, message in found if "there is no file data/dev.jsonl" in message]
    assert len(missing) == 2


@pytest.mark.parametrize(
    "line",
    ["process_results: !function evil.f", "process_docs: !!python/name:os.system",
     "doc_to_target: !function evil.g"],
)  # fmt: skip
def test_a_task_that_names_code_is_refused_and_nothing_runs(line: str, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    ran = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w')\ndef f(doc): return 1\ng = f\n")
    task = tmp_path / "mini_say.yaml"
    task.write_text(task.read_text() + line + "\n")
    (file, number, message) = problems(path)[0]
    assert (file, number) == ("mini_say.yaml", line_of(task, line))
    assert "is not allowed" in message
    assert not ran.exists()


@pytest.mark.parametrize("file", ["../other.yaml", "/etc/passwd", "evil.py", "none.yaml"])
def test_task_files_are_yaml_files_in_the_suites_folder(file: str, tmp_path: Path) -> None:
    path = write_suite(tmp_path / "suite")
    content = yaml.safe_load(path.read_text())
    content["tasks"][0]["file"] = file
    path.write_text(yaml.safe_dump(content))
    (tmp_path / "other.yaml").write_text("task: mini_say\n")
    (found,) = problems(path)
    assert found[1] == line_of(path, f"file: {file}")


@pytest.mark.parametrize("text", ["", "- a\n", "name: [", "name: !x y\n", "a: &a [*a]\n"])
def test_a_file_that_is_no_suite_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    assert problems(path)
    with pytest.raises(EvaluationError, match="cannot be read"):
        load_local_suite(tmp_path / "none.yaml")


def test_the_name_of_a_packaged_suite_is_refused(tmp_path: Path) -> None:
    path = write_suite(tmp_path, name="quick")
    (found,) = problems(path)
    assert "packaged suite" in found[2]


def test_the_command_line_shows_a_suite_of_ones_own(tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    assert "Mini (local suite)" in run("suites", path).out
    path.write_text(path.read_text().replace("batch_size: 4", "batch_size: none"))
    done = run("suites", path)
    assert done.code == 9
    assert f"{path}:{line_of(path, 'batch_size')}" in done.err
