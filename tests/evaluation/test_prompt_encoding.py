"""Prompts are what they claim: what a tokenizer does to them is neutralised or refused by name."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.errors import EvaluationError
from bot.evaluation import Settings, Suite, evaluate_model
from bot.evaluation.backends.hf import CheckedLM
from bot.evaluation.harness import CHANGES_A_QUESTION, warnings_as_errors
from tests.evaluation.conftest import CHILD, load_mini
from tests.evaluation.models import TEMPLATE, VOCABULARY, weights, write_model
from tests.evaluation.test_harness import score

TASKS = ("mini_say", "mini_pick")


def edit(path: Path, **values: Any) -> None:
    """Replace keys of a JSON file; None removes one."""
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def post_process(folder: Path, single: list[str]) -> None:
    """Make the tokenizer put these around every text; ``A`` is the text."""
    special = {
        token: {"id": token, "ids": [VOCABULARY[token]], "tokens": [token]}
        for token in single if token != "A"
    }  # fmt: skip
    pieces = [
        {"Sequence": {"id": "A", "type_id": 0}} if token == "A"
        else {"SpecialToken": {"id": token, "type_id": 0}} for token in single
    ]  # fmt: skip
    pair = [*pieces, {"Sequence": {"id": "B", "type_id": 1}}]
    edit(
        folder / "tokenizer.json",
        post_processor={
            "type": "TemplateProcessing", "single": pieces, "pair": pair, "special_tokens": special,
        },
    )  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_an_end_of_text_after_every_prompt_changes_nothing(
    task: str, plain: Path, mini: Suite, tmp_path: Path
) -> None:
    odd = write_model(tmp_path / "odd", seed=0)
    post_process(odd, ["<s>", "A", "</s>"])
    assert score(odd, mini, task) == score(plain, mini, task)


@pytest.mark.parametrize("task", TASKS)
def test_the_side_a_tokenizer_pads_on_changes_nothing(
    task: str, plain: Path, mini: Suite, tmp_path: Path
) -> None:
    odd = write_model(tmp_path / "odd", seed=0)
    edit(odd / "tokenizer_config.json", padding_side="right")
    assert score(odd, mini, task) == score(plain, mini, task)


@pytest.mark.parametrize("task", TASKS)
def test_special_tokens_that_only_the_config_names_are_used(
    task: str, plain: Path, mini: Suite, tmp_path: Path
) -> None:
    odd = write_model(tmp_path / "odd", seed=0)
    edit(odd / "tokenizer_config.json", eos_token=None, bos_token=None, pad_token=None)
    assert score(odd, mini, task) == score(plain, mini, task)


def test_a_model_without_any_end_of_text_is_refused(mini: Suite, tmp_path: Path) -> None:
    odd = write_model(tmp_path / "odd", seed=0)
    edit(odd / "tokenizer_config.json", eos_token=None)
    edit(odd / "config.json", eos_token_id=None)
    with pytest.raises(EvaluationError, match="names no end-of-text token") as caught:
        score(odd, mini, "mini_say")
    assert "eos_token" in (caught.value.hint or "")


def small_embedding(folder: Path, rows: int) -> Path:
    tensors = weights(0)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        tensors[name] = tensors[name][:rows].copy()
    model = write_model(folder, tensors=tensors)
    edit(model / "config.json", vocab_size=rows)
    return model


def test_a_prompt_with_a_token_beyond_the_embedding_is_refused_by_name(
    mini: Suite, tmp_path: Path
) -> None:
    model = small_embedding(tmp_path / "small", VOCABULARY["q"])
    with pytest.raises(EvaluationError, match=r"token 'y' with id \d+, but the embedding has"):
        score(model, mini, "mini_say")


def test_a_special_token_beyond_the_embedding_is_refused_by_name(
    mini: Suite, tmp_path: Path
) -> None:
    model = small_embedding(tmp_path / "small", len(VOCABULARY) - 1)
    last = max(VOCABULARY, key=lambda token: VOCABULARY[token])
    edit(model / "tokenizer_config.json", eos_token=last)
    with pytest.raises(EvaluationError, match=r"the eos token '<0x.*' has id"):
        score(model, mini, "mini_say")


NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + TEMPLATE
)


def test_a_template_that_refuses_the_system_role_is_an_error(tmp_path: Path) -> None:
    """lm-eval would leave the system message out, for this model only."""
    small = load_mini(tmp_path / "suite")
    task = tmp_path / "suite/mini_say.yaml"
    task.write_text(task.read_text() + "description: 'Answer with one letter.'\n")
    settings = replace(Settings.of(small), apply_chat_template=True)
    fine = write_model(tmp_path / "fine", template=TEMPLATE)
    assert len(score(fine, small, "mini_say", settings=settings))
    model = write_model(tmp_path / "model", template=NO_SYSTEM)
    with pytest.raises(EvaluationError, match="roles system, user: no system role"):
        score(model, small, "mini_say", settings=settings)


def test_a_warning_that_a_question_was_changed_is_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("lm_eval.models.huggingface")
    with (
        caplog.at_level(logging.ERROR, "lm_eval"),
        pytest.raises(EvaluationError, match=r"task t: lm-eval changed a question: Left trunc"),
        warnings_as_errors("t"),
    ):
        logger.warning("Left truncation applied. Original sequence length was %d", 9)
    with warnings_as_errors("t"):
        logger.warning("No filter defined, passing through instances")


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("Left truncation applied. Original sequence length was 9, truncating to last 4", True),
        ("Failed to apply chat template. removing the system role in chat history.", True),
        ("Applied prompt returns empty string", True),
        ("No filter defined, passing through instances", False),
    ],
)
def test_which_warnings_change_a_question(said: str, changes: bool) -> None:
    assert bool(CHANGES_A_QUESTION.search(said)) is changes


def test_what_a_model_raises_while_it_computes_is_the_cause_that_is_shown(
    mini: Suite, tmp_path: Path
) -> None:
    """Rotary embeddings over an odd number of dimensions fail in the first forward pass."""
    model = write_model(tmp_path / "odd")
    edit(model / "config.json", rope_parameters={"rope_type": "linear", "factor": 0.0},
         attention_dropout="x")  # fmt: skip
    with pytest.raises(EvaluationError) as caught:
        evaluate_model(model, "1" * 64, mini, Settings.of(mini), tmp_path / "store", child=CHILD)
    assert "Error: " in caught.value.message
    assert "it/s" not in caught.value.message
    assert "Traceback" not in caught.value.message


def test_code_that_a_model_brings_is_never_run(mini: Suite, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\nclass Model: pass\nclass Tok: pass\n"
    model = write_model(tmp_path / "model")
    (model / "evil.py").write_text(code)
    edit(model / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tok", "evil.Tok"]})
    edit(model / "config.json", auto_map={"AutoModelForCausalLM": "evil.Model"})
    lm = CheckedLM(model, Settings.of(mini), lambda done, total: None)
    assert np.isfinite(lm.capacity)
    assert not ran.exists()
