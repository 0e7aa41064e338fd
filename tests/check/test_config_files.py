"""Whatever a folder's JSON files hold, the checks say what is wrong and never raise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.check.checks import check_model
from bot.check.config_files import config_faults
from bot.check.template_check import check_known, check_rendering, template_of
from tests.evaluation.models import write_model

DEEP = b"[" * 100_000
BROKEN = [b"", b"[]", b"{", DEEP, b'{"a": ' + DEEP, b'{"a": "\\ud800"}', b"\xff", b'{"a": NaN}']
TEMPLATES: list[Any] = [
    ["x"],
    [None],
    [{"name": ["unhashable"], "template": "x"}],
    [{"name": {"a": 1}}],
    [{"name": "default", "template": 7}],
    {"default": "x"},
    7,
]


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_a_template_of_an_odd_shape_is_no_template(template: Any, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    assert template_of(tmp_path) is None
    assert check_rendering(tmp_path).passed
    assert check_known(tmp_path, [tmp_path]).passed


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_a_broken_file_fails_a_check_by_name(content: bytes, name: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / name).write_bytes(content)
    failures = check_model(folder, [folder]).failures
    assert name in {failure.name: failure.detail for failure in failures}["loads"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", {"attn_implementation": "someone/kernel"}, "attn_implementation"),
        ("config.json", {"text_config": {"auto_map": {"A": "b.C"}}}, "text_config.auto_map"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["t.T", None]}}, "auto_map"),
        ("generation_config.json", {"custom_generate": "someone/generate"}, "custom_generate"),
        ("config.json", {"architectures": [""]}, "architectures"),
        ("config.json", {"vocab_size": "4096"}, "vocab_size"),
    ],
)
def test_what_transformers_must_not_see_is_found_before_it_is_loaded(
    name: str, content: dict[str, Any], says: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text(json.dumps(content))
    (fault,) = config_faults(tmp_path)
    assert says in fault
    assert name in fault
