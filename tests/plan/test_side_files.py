"""Which side files a merge carries, and from whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.errors import PlanError
from bot.plan.parent_model import Parent
from tests.plan.parents import llama
from tests.plan.recipes import plan_of
from tests.present import present
from tests.tokens.made import CORPUS, bpe

LINEAR = """
merge_method: linear
base_model: org/a
models:
  - {model: org/a, parameters: {weight: 1}}
  - {model: org/b, parameters: {weight: 1}}
"""


def tokenized(
    name: str,
    *added: str,
    special: tuple[str, ...] = ("<s>", "</s>"),
    tensors: Mapping[str, TensorSpec] | None = None,
    padding: int = 0,
    **more: Any,
) -> Parent:
    tokenizer = bpe(CORPUS, 48, special=special, added=added)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": f"{{{name}}}"}
    files = {
        "tokenizer.json": tokenizer.to_str().encode(),
        "tokenizer_config.json": json.dumps(config).encode(),
        "vocab.json": b"{}",
        **{path.replace("__", "."): data for path, data in more.items()},
    }
    return llama(
        f"org/{name}",
        vocab_size=tokenizer.get_vocab_size() + padding,
        files=files,
        tensors=tensors,
        eos_token_id=tokenizer.token_to_id("</s>"),
    )


def test_without_a_choice_the_donors_files_are_copied(tmp_path: Path) -> None:
    config_source = tokenized("a", preprocessor_config__json=b'{"x": 1}', README__md=b"no")
    plan = plan_of(tmp_path, LINEAR, config_source, tokenized("b"))
    assert set(plan.files) == {
        "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json",
        "preprocessor_config.json",
    }  # fmt: skip
    assert plan.files["tokenizer.json"] == config_source.source.file("tokenizer.json")


def test_generation_config_follows_the_chosen_tokenizer(tmp_path: Path) -> None:
    generation = json.dumps({"eos_token_id": [1], "temperature": 0.5}).encode()
    config_source = tokenized("a", generation_config__json=generation)
    other = tokenized("b", special=("</s>", "<s>"))
    plan = plan_of(tmp_path, LINEAR + "tokenizer_source: org/b\n", config_source, other)
    assert json.loads(plan.files["generation_config.json"]) == {
        "eos_token_id": [0],
        "temperature": 0.5,
    }
    assert json.loads(plan.files["config.json"])["eos_token_id"] == 0
    assert plan.files["tokenizer.json"] == other.source.file("tokenizer.json")
    kept = plan_of(tmp_path, LINEAR + "tokenizer_source: base\n", config_source, other)
    assert json.loads(kept.files["generation_config.json"])["eos_token_id"] == [1]


def test_a_union_tokenizer_loads_in_transformers(tmp_path: Path) -> None:
    parents = tokenized("a", "<end>"), tokenized("b", "<turn>")
    plan = plan_of(tmp_path, LINEAR + "tokenizer_source: union\n", *parents)
    assert "vocab.json" not in plan.files
    folder = tmp_path / "out"
    folder.mkdir()
    for name, data in plan.files.items():
        (folder / name).write_bytes(data)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = json.loads(plan.files["config.json"])["vocab_size"]
    assert sorted(tokenizer.get_vocab().values()) == list(range(rows))
    assert tokenizer.tokenize("<turn>cat<end>") == ["<turn>", "cat", "<end>"]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [("auto", "{a}"), ("'{{ messages }} as asked'", "{{ messages }} as asked")],
)
def test_chat_template(tmp_path: Path, choice: str, wanted: str) -> None:
    plan = plan_of(tmp_path, LINEAR + f"chat_template: {choice}\n", tokenized("a"), tokenized("b"))
    assert plan.files["chat_template.jinja"].decode() == wanted
    assert "chat_template" not in json.loads(plan.files["tokenizer_config.json"])


def test_models_without_a_tokenizer_are_taken_to_have_the_bases(tmp_path: Path) -> None:
    config_source = tokenized("a")
    rows = json.loads(present(config_source.source.file("config.json")))["vocab_size"]
    text = LINEAR + "tokenizer_source: union\n"
    plan = plan_of(tmp_path, text, config_source, llama("org/b", vocab_size=rows))
    assert plan.warnings == (
        "org/b has no tokenizer.json: its tokens are assumed to be those of org/a",
    )
    with pytest.raises(PlanError, match=r"org/a has no tokenizer\.json"):
        plan_of(tmp_path, text, llama("org/a"), tokenized("b"))


def test_problems_of_tokenizers_and_rules(tmp_path: Path) -> None:
    rules = """
tokenizer:
  source: base
  tokens:
    <x>: {source: {kind: model_token, model: org/b, token: nowhere}}
    <y>: {source: {kind: model_token, model: org/b, token_id: 4000}}
    <z>: {source: org/a}
"""
    with pytest.raises(PlanError) as caught:
        plan_of(tmp_path, LINEAR + rules, tokenized("a"), tokenized("b"))
    found = [problem.message for problem in caught.value.problems()]
    assert any("org/b has no token 'nowhere'" in message for message in found)
    assert any("row 4000 does not exist" in message for message in found)
    assert any("org/a has no token '<z>'" in message for message in found)
    broken = tokenized("b", tokenizer__json=b"{}")
    with pytest.raises(PlanError, match=r"tokenizer\.json of org/b has no vocabulary"):
        plan_of(tmp_path, LINEAR + "tokenizer_source: union\n", tokenized("a"), broken)


def test_rows_that_cannot_stand_in_for_others(tmp_path: Path) -> None:
    def head(*shape: int, dtype: Dtype = Dtype.F32) -> dict[str, TensorSpec]:
        return {"lm_head.weight": TensorSpec(name="lm_head.weight", dtype=dtype, shape=shape)}

    rows = json.loads(present(tokenized("a").source.file("config.json")))["vocab_size"]
    text = LINEAR + "tokenizer_source: union\n"
    for tensors in (head(rows - 1, 16), head(rows, 8), head(rows, 16, dtype=Dtype.I8)):
        with pytest.raises(PlanError, match=r"lm_head\.weight of org/b is"):
            plan_of(tmp_path, text, tokenized("a"), tokenized("b", tensors=tensors))


def test_padding_of_the_vocabulary(tmp_path: Path) -> None:
    text = LINEAR + "tokenizer: {source: union, pad_to_multiple_of: 64}\n"
    plan = plan_of(tmp_path, text, tokenized("a", "<end>"), tokenized("b", "<turn>"))
    assert plan.jobs[0].output.shape[0] == 64
    assert json.loads(plan.files["config.json"])["vocab_size"] == 64


def test_rows_without_tokens_are_dropped_with_a_word(tmp_path: Path) -> None:
    text = LINEAR + "tokenizer_source: base\n"
    padded = [tokenized(name, padding=3) for name in "ab"]
    plan = plan_of(tmp_path, text, *padded)
    rows = plan.jobs[0].output.shape[0]
    assert f"has {rows + 3} rows for {rows} tokens" in plan.warnings[0]


def test_a_parent_whose_rows_already_stand_right_is_read_as_it_is(tmp_path: Path) -> None:
    text = LINEAR + "tokenizer_source: base\n"
    plan = plan_of(tmp_path, text, tokenized("a"), tokenized("b"))
    assert set(plan.sources) == {"a", "b"}
    plan = plan_of(tmp_path, text, tokenized("a"), tokenized("b", special=("</s>", "<s>")))
    assert set(plan.sources) == {"a", "b", "b+vocabulary"}


def test_tokenizers_and_processors_that_need_code_are_refused(tmp_path: Path) -> None:
    code = json.dumps({"auto_map": {"AutoTokenizer": ["t.py", None]}}).encode()
    for file in ("tokenizer_config", "processor_config"):
        asking: dict[str, Any] = {f"{file}__json": code}
        config_source = tokenized("a", **asking)
        with pytest.raises(PlanError, match=rf"{file}\.json of org/a asks for code"):
            plan_of(tmp_path, LINEAR, config_source, tokenized("b"))
    other = tokenized("b", tokenizer_config__json=code)
    with pytest.raises(PlanError, match=r"tokenizer_config\.json of org/b asks for code"):
        plan_of(tmp_path, LINEAR + "tokenizer_source: org/b\n", tokenized("a"), other)
