"""The checks load models where no secret and no network can be reached."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.check import check_model
from bot.check.template_check import LIMITS, check_rendering
from bot.isolation import probe, run_isolated
from tests.evaluation.models import write_model
from tests.isolation.conftest import Planted, planted
from tests.isolation.hostile import SECRET, attempts

__all__ = ["planted"]

ROOT = Path(__file__).parents[2]


def test_the_process_of_the_checks_reaches_nothing(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bot.check` starts its processes with the same function and limits."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HOME", planted.environ["HOME"])
    request = planted.request(tmp_path)
    ended = run_isolated(
        "tests.isolation.hostile", request, seconds=60, limits=LIMITS, readable=[ROOT / "tests"]
    )
    assert ended.reason is None, ended.reason
    reached = {name for name, found in json.loads(ended.output)["reached"].items() if found}
    assert reached <= (set() if probe().files == "landlock" else set(attempts(request)))


@pytest.mark.parametrize(
    "template",
    [
        "{{ cycler.__init__.__globals__.os.environ['HF_TOKEN'] }}{{ messages[-1].content }}",
        "{{ joiner.__init__.__globals__['__builtins__'] }}{{ messages[-1].content }}",
        "{{ messages.__class__.__base__.__subclasses__() }}{{ messages[-1].content }}",
        "{% include '/etc/passwd' %}{{ messages[-1].content }}",
    ],
)
def test_a_template_that_looks_for_a_token_fails(
    template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    (tmp_path / "chat_template.jinja").write_text(template)
    check = check_rendering(tmp_path)
    assert not check.passed
    assert SECRET not in check.detail


def test_code_that_a_tokenizer_brings_is_never_run(tmp_path: Path) -> None:
    model, ran = write_model(tmp_path / "model"), tmp_path / "ran"
    (model / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Tok: pass\n")
    path = model / "tokenizer_config.json"
    content = json.loads(path.read_text()) | {"auto_map": {"AutoTokenizer": ["evil.Tok", None]}}
    path.write_text(json.dumps(content))
    check_model(model)
    assert not ran.exists()
