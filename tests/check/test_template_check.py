"""Chat templates are rendered where they can do no harm, and compared with the parents'."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.check.template_check import check_known, check_rendering, template_of
from bot.check.template_child import problem
from tests.evaluation.models import TEMPLATE

LOOP = "{% for i in range(99999) %}"
BOMB = LOOP * 4 + "{% endfor %}" * 4


def folder_with(tmp_path: Path, template: str | None, name: str = "m") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    special = {"bos_token": "<s>", "eos_token": {"content": "</s>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


@pytest.mark.parametrize(
    ("template", "said"),
    [(BOMB, "processor time"), ("{{ 'a' * 10 ** 10 }}", "memory")],
    ids=["loops", "memory"],
)
def test_a_bomb_ends_in_a_clear_failure(template: str, said: str, tmp_path: Path) -> None:
    check = check_rendering(folder_with(tmp_path, template))
    assert not check.passed
    assert check.hard
    assert said in check.detail


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ 'a' * 10 ** 6 }}{{ messages[-1].content }}", "1000"),
        ("{% for m in messages %}", "TemplateSyntaxError"),
        ("{{ raise_exception('no such role') }}", "no such role"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("hello", "leaves out what the user said"),
    ],
    ids=["long", "syntax", "raises", "escape", "deaf"],
)
def test_a_bad_template_is_explained(template: str, said: str) -> None:
    assert said in (problem(template, {"bos_token": "<s>"}) or "")


def test_a_good_template_and_none_at_all_pass(tmp_path: Path) -> None:
    assert check_rendering(folder_with(tmp_path, TEMPLATE, "good")).passed
    assert check_rendering(folder_with(tmp_path, None, "none")).passed


def test_the_template_is_found_where_transformers_finds_it(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, None)
    named = [{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert template_of(folder) == "D"
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "T"}))
    assert template_of(folder) == "T"
    (folder / "chat_template.jinja").write_text("J")
    assert template_of(folder) == "J"


def test_a_template_of_no_parent_is_a_warning(tmp_path: Path) -> None:
    one, same, other, none = (
        folder_with(tmp_path, template, name)
        for name, template in
        [("one", "A"), ("same", "A\n"), ("other", "B"), ("none", None)]
    )  # fmt: skip
    assert check_known(one, [other, same]).passed
    assert check_known(none, [other]).passed
    check = check_known(one, [other, none])
    assert not check.passed
    assert not check.hard
