"""Nothing a user types wrong gives a traceback: every mistake has a code and a next step."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.app import COMMANDS
from bot.cli.error_report import Failure, explain
from bot.cli.generate_docs import cli_page, exit_code_table
from bot.cli.output import Output
from bot.errors import Problem
from bot.events import Event
from tests.cli.commands import run
from tests.families import RECIPE, write_family

MISTAKES = [
    (["nonsense"], 2, "no command 'nonsense'"),
    (["merg", "a", "b"], 2, "Did you mean 'merge'?"),
    (["merge"], 2, "Missing argument"),
    (["merge", "recipe.yaml", "out", "--threads", "0"], 2, "--threads"),
    (["merge", "recipe.yaml", "out", "--out-shard-size", "big"], 2, "is not a size"),
    (["merge", "recipe.yaml", "out", "--colour"], 2, "--colour"),
    (["merge", "missing.yaml", "out"], 3, "cannot read the recipe"),
    (["merge", "~nobody-has-this-name/recipe.yaml", "out"], 3, "cannot read the recipe"),
    (["verify", "~nobody-has-this-name/model"], 2, "there is no folder"),
    (["merge", ".", "out"], 3, "cannot read the recipe"),
    (["merge", "typo.yaml", "out"], 3, "typo.yaml:6:"),
    (["merge", "lost.yaml", "out"], 3, "there is no folder ./gone"),
    (["merge", "nobody.yaml", "out"], 3, "there is no folder ~nobody-here/a"),
    (["merge", "file.yaml", "out"], 3, "./recipe.yaml is a file"),
    (["merge", "recipe.yaml", "base"], 2, "a parent of the merge"),
    (["merge", "recipe.yaml", "."], 6, "choose another output folder"),
    (["merge", "recipe.yaml", ""], 6, "choose another output folder"),
    (["merge", "recipe.yaml", "recipe.yaml/out"], 6, "recipe.yaml"),
    (["merge", "recipe.yaml", "loop"], 6, "loop"),
    (["merge", "narrow.yaml", "out"], 4, "model.layers.0"),
    (["merge", "hub.yaml", "out"], 11, "someone/model"),
    (["merge", "recipe.yaml", "out", "--device", "cuda:99"], 14, "cuda"),
    (["plan", "broken.yaml"], 5, "model.safetensors"),
    (["validate"], 2, "Which recipe?"),
    (["validate", "typo.yaml"], 3, "did you mean `density`"),
    (["evaluate", "base", "--suite", "nonsense"], 9, "no suite named"),
    (["evaluate", "nowhere", "--suite", "skills"], 5, "not a folder"),
    (["compare", "base", "--suite", "skills"], 2, "--baseline"),
    (["run", "silent.yaml"], 2, "names no suites"),
    (["compare", "base", "--baseline", "base", "--suite", "skills"], 2, "the same model"),
    (["evaluate", "base", "--suite", "skills", "--device", "gpu9"], 2, "no device is called"),
    (["run", "recipe.yaml", "--publish", ""], 2, "Publish as whom?"),
    (["merge", "prose.yaml", "out"], 3, "a recipe to start from"),
    (["card", "abcdef12"], 16, "no run 'abcdef12'"),
    (["verify", "base"], 16, "recipe.lock.json"),
    (["methods", "tie"], 2, "ties"),
    (["suites", "skils"], 9, "did you mean `skills`?"),
    (["evaluate", "base", "--suite", "skils"], 9, "did you mean `skills`?"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    write_family(folder)
    (folder / "typo.yaml").write_text(
        RECIPE.replace("density: 0.5", "densty: 0.5").replace("    p", "\n    p", 1)
    )
    (folder / "lost.yaml").write_text(RECIPE.replace("./second", "./gone"))
    (folder / "nobody.yaml").write_text(RECIPE.replace("./second", "~nobody-here/a"))
    (folder / "file.yaml").write_text(RECIPE.replace("./second", "./recipe.yaml"))
    (folder / "prose.yaml").write_text("Use this:\nit merges\n")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "hub.yaml").write_text(RECIPE.replace("./second", "someone/model"))
    (folder / "silent.yaml").write_text(RECIPE.replace("suites: [skills]\n", ""))
    broken = folder / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((folder / "base/config.json").read_bytes())
    (broken / "model.safetensors").write_bytes(b"\xff" * 64)
    (folder / "broken.yaml").write_text(RECIPE.replace("./second", "./broken"))
    _narrow_model(folder)
    return folder


def _narrow_model(folder: Path) -> None:
    from tests.checkpoint.models import random_tensors, write_model
    from tests.plan.parents import LLAMA, llama_shapes

    config = LLAMA | {"intermediate_size": 20}
    files = {"config.json": json.dumps(config).encode()}
    write_model(folder / "narrow", random_tensors(9, llama_shapes(config)), files)
    (folder / "narrow.yaml").write_text(RECIPE.replace("./second", "./narrow"))


@pytest.mark.parametrize(("words", "code", "said"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_explained(
    words: list[str], code: int, said: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    plain = run(*words)
    assert plain.code == code, plain.err
    assert said in plain.err
    assert "Traceback" not in plain.err
    assert plain.out == ""
    told = run(*words, "--json")
    assert told.code == code
    assert told.json()["exit_code"] == code
    assert "Traceback" not in told.out


@pytest.mark.parametrize(("words", "code", "said"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_commands_help_lists_the_codes_it_ends_with(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del said
    if code != 2:
        assert run(words[0], "--help").code == 0
        _, _, listed = capsys.readouterr().out.partition("Exit codes:")
        assert code in map(int, re.findall(r"(?<!\w)\d+", listed))


def test_every_listed_code_stands_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", exit_code_table(), re.MULTILINE)}
    assert {0, 20, 21, 70, 130} | set(range(2, 18)) == table
    for name in COMMANDS:
        run(name, "--help")
        _, found, listed = capsys.readouterr().out.partition("Exit codes:")
        assert set(map(int, re.findall(r"(?<!\w)\d+", listed))) <= table, name
        assert not found or "docs/cli.md" in listed, name


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name, entry in COMMANDS.items():
        assert run(name, "--help").code == 0
        shown = capsys.readouterr().out
        assert "--json" in shown or "Commands:" in shown, name
        assert max(map(len, shown.splitlines())) <= 80, name
        assert entry.summary.endswith(".")


def test_examples_name_files_that_a_clone_has() -> None:
    named = re.findall(r"\brecipes/\S+", cli_page())
    assert len(named) > 3
    for pattern in named:
        assert list(Path(__file__).parents[2].glob(pattern)), pattern


def test_help_answers_at_once_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom bot.cli.app import run_command\nfrom bot.cli.output import Output\n"
        "run_command(['--help'], Output())\n"
        "print([m for m in ('torch', 'numba', 'numpy', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")


def test_a_name_between_colons_is_printed_as_it_is() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(stdout=out, stderr=err)
    output.result(None, ["merged:x:model", output.table([["a:fire:b"]], [":x:"])])
    output.note("parent:dog:7b")
    assert {"merged:x:model", "a:fire:b", ":x:"} <= set(out.getvalue().split())
    assert "parent:dog:7b" in err.getvalue()


def test_a_strangers_text_cannot_steer_a_terminal() -> None:
    nasty = "a\x1b[2J\0\u202e\x9b\ud800\u2028b"
    shown = r"a\u001b[2J\u0000\u202e\u009b\ud800\u2028b"
    out, err = io.StringIO(), io.StringIO()
    output = Output(stdout=out, stderr=err)
    output.result(None, [nasty, output.table([[nasty, "1"]], ["name", "size"])])
    assert [line.split()[0] for line in out.getvalue().splitlines()] == [shown, "name", shown]
    output.note(nasty)
    output.note_table(output.table([[nasty]], ["x"]))
    output.print_error(nasty)
    output.report(Event("merge", "note", item=nasty))
    problem = Problem(message=nasty, file=nasty, hint=nasty)
    output.fail(Failure(code=1, kind="x", problems=[problem], hint=None))
    assert err.getvalue().count(shown) == 7
    assert not set(nasty) - set("a[2Jb") & set(err.getvalue())


def test_json_keeps_every_character_and_none_is_printed_raw() -> None:
    data = {"name": "a\x1b\x9b\u202e\ud800\U000e0001 é 漢字 \U0001f600"}
    out = io.StringIO()
    Output(json=True, stdout=out, stderr=io.StringIO()).result(data, "")
    assert json.loads(out.getvalue()) == data
    assert {each for each in out.getvalue() if not each.isprintable()} == {"\n"}
    assert "é 漢字 \U0001f600" in out.getvalue()


def test_ordinary_names_are_printed_as_they_are() -> None:
    names = "Ünïcödé 漢字 한국어 العربية \U0001f600 ❤\ufe0f e\u0301 ×·√"
    out = io.StringIO()
    output = Output(stdout=out, stderr=io.StringIO())
    output.result(None, [names, output.table([[names]], ["x"])])
    assert out.getvalue().count(names) == 2


def test_running_out_of_memory_is_no_bug_of_ours() -> None:
    for error in (MemoryError(), MemoryError("Unable to allocate 381. MiB")):
        told = explain(error)
        assert told.code == 6
        assert told.problems[0].message.startswith("out of memory")
        assert "--threads" in str(told.hint)
    assert "381. MiB" in told.problems[0].message


def test_piped_output_has_no_control_codes(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "plan", str(place / "recipe.yaml")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
    assert "model.layers.3.self_attn.v_proj.weight" in done.stdout
