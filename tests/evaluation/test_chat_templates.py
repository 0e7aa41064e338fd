"""Chat templates: each model's own, one for all, and what happens where a model has none."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from bot.errors import EvaluationError, UsageError
from bot.evaluation import Settings, Suite, eval_key, evaluate_all, suite
from bot.evaluation.chat_templates import read_template, template_names, with_chat_template
from bot.evaluation.evaluate_models import Model
from bot.lineage.suite_result import suite_result
from leaderboard.verdict import judge_suite
from tests.evaluation.conftest import CHILD
from tests.evaluation.test_harness import score

TURNS = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Bye"},
]


def rendered(name: str) -> str:
    template = jinja2.Environment().from_string(read_template(name))
    return template.render(messages=TURNS, add_generation_prompt=True)


def test_the_packaged_templates_are_the_formats_they_name() -> None:
    assert rendered("chatml") == (
        "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert rendered("question-answer") == (
        "Be short.\n\nQuestion: Hi\nAnswer: Hello\n\nQuestion: Bye\nAnswer:"
    )
    assert template_names() == ("chatml", "question-answer")


def test_a_variant_is_another_suite_version_with_other_keys(mini: Suite) -> None:
    variants = [mini, *(with_chat_template(mini, choice) for choice in ("own", "chatml"))]
    assert [one.data.version for one in variants] == ["1", "1+own-template", "1+chatml-template"]
    assert len({one.digest for one in variants}) == 3
    assert len({eval_key("1" * 64, one, Settings.of(one)) for one in variants}) == 3
    assert with_chat_template(mini, "none") is mini
    assert Settings.of(variants[1]).few_shot_as_multiturn


def test_an_unknown_template_is_answered_with_those_there_are(mini: Suite, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no chat template named 'chatlm'") as caught:
        with_chat_template(mini, "chatlm")
    assert "chatml" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="cannot be read"):
        with_chat_template(mini, str(tmp_path / "none.jinja"))
    (tmp_path / "large.jinja").write_text("x" * (300 << 10))
    with pytest.raises(UsageError, match="larger"):
        with_chat_template(mini, str(tmp_path / "large.jinja"))


def test_one_template_from_a_file_is_used_for_all_models(
    plain: Path, chatty: Path, mini: Suite, tmp_path: Path
) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}>")
    mine = with_chat_template(mini, str(file))
    expected = hashlib.sha256(b"[user]d0=[assistant]y[user]q1=>").hexdigest()
    for model in (plain, chatty):
        assert score(model, mine, "mini_say").prompt_hashes[1] == expected


def test_a_model_without_a_template_gets_the_plain_prompt_and_the_verdict_says_so(
    plain: Path, chatty: Path, mini: Suite, tmp_path: Path
) -> None:
    own = with_chat_template(mini, "own")
    lenient = replace(own, data=own.data.model_copy(update={"without_template": "plain"}))
    models = [
        Model(name="chatty", path=chatty, digest="1" * 64),
        Model(name="plain", path=plain, digest="2" * 64),
    ]
    found = evaluate_all(models, lenient, Settings.of(lenient), store=tmp_path, child=CHILD)
    assert found["1" * 64].templated
    assert not found["2" * 64].templated
    assert found["2" * 64].task_scores["mini_say"].prompt_hashes == (
        score(plain, mini, "mini_say").prompt_hashes
    )
    result = suite_result(lenient, found, merge="1" * 64, parents=["2" * 64])
    assert result.plain_prompts == ("2" * 64,)
    notes = judge_suite(result, {"2" * 64: "plain"}).notes
    assert "plain has no chat template and was asked in plain text" in notes
    with pytest.raises(EvaluationError, match="plain: plain has no chat template"):
        evaluate_all(models, own, Settings.of(own), store=tmp_path / "strict", child=CHILD)


def test_quick_chat_is_quick_with_templates() -> None:
    quick, chat = suite("quick"), suite("quick-chat")
    assert chat.tasks == quick.tasks
    assert chat.data.apply_chat_template
    assert chat.data.without_template == "plain"
    assert not quick.data.apply_chat_template
