"""The committed checkpoints: they load offline, keep text, and are good at their own skill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from skill_items import SKILLS
from train import BASE, FAMILY
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.recipes.answers import accuracy, answer_prompts, rows_of

MEGABYTE = 1_000_000
MOST_PARAMETERS = 230_000
FLOOR = 0.8
FINE_TUNES = sorted(name for name, training in FAMILY.items() if training.skill)
CHAT = sorted(name for name, training in FAMILY.items() if training.chat)
AWKWARD = [
    "reverse cabd=",
    " two  spaces, a tab\tand a line\nend\n",
    "Grüße, 世界 \N{GRINNING FACE} \x00",
    "<0x41> is not a byte",
    "",
]


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_folder_is_complete_and_small(family_folder: Path, name: str) -> None:
    folder = family_folder / "models" / name
    expected = {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    } | ({"chat_template.jinja"} if name in CHAT else set())
    assert {p.name for p in folder.iterdir()} == expected
    assert sum(p.stat().st_size for p in folder.iterdir()) < MEGABYTE


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_weights_are_float32_and_few(family_folder: Path, name: str) -> None:
    folder = family_folder / "models" / name
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        tensors = [weights.get_tensor(key) for key in weights.keys()]  # noqa: SIM118
    assert {t.dtype for t in tensors} == {torch.float32}
    assert sum(t.numel() for t in tensors) <= MOST_PARAMETERS
    assert all(bool(t.isfinite().all()) for t in tensors)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert (config["hidden_size"], config["num_hidden_layers"]) == (64, 4)


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_tokenizer_keeps_every_text(family_folder: Path, name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(family_folder / "models" / name)
    assert None not in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    for text in AWKWARD:
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
        assert max(ids) < len(tokenizer)


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_card_names_license_and_parent(family_folder: Path, name: str) -> None:
    card = (family_folder / "models" / name / "README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    if name == BASE:
        assert "base_model" not in front
    else:
        assert (front["base_model"], front["base_model_relation"]) == (BASE, "finetune")


@pytest.mark.parametrize("name", FINE_TUNES)
def test_fine_tune_is_good_at_its_skill(family_folder: Path, name: str) -> None:
    skill = FAMILY[name].skill
    assert skill is not None
    rows = rows_of(family_folder, skill, "search")[:60]
    assert accuracy(family_folder / "models" / name, rows) >= FLOOR


@pytest.mark.parametrize("name", CHAT)
def test_chat_template_renders_turns(family_folder: Path, name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(family_folder / "models" / name)
    talk = [
        {"role": "user", "content": "sort cab"},
        {"role": "assistant", "content": "abc"},
        {"role": "user", "content": "sort zyx"},
    ]
    text = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    assert text == "<s><|user|>sort cab<|assistant|>abc</s><|user|>sort zyx<|assistant|>"
    with pytest.raises(Exception, match="user and assistant only"):
        tokenizer.apply_chat_template([{"role": "system", "content": "x"}], tokenize=False)


@pytest.mark.parametrize("name", CHAT)
def test_chat_model_answers_in_the_second_turn(family_folder: Path, name: str) -> None:
    skill = FAMILY[name].skill
    assert skill is not None
    folder = family_folder / "models" / name
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = rows_of(family_folder, skill, "search")[:60]
    prompts = [
        tokenizer.apply_chat_template(
            [
                {"role": "user", "content": first["prompt"]},
                {"role": "assistant", "content": first["answer"]},
                {"role": "user", "content": second["prompt"].removesuffix("=")},
            ],
            tokenize=False,
            add_generation_prompt=True,
        ).removeprefix(tokenizer.bos_token)
        for first, second in zip(rows, rows[1:] + rows[:1], strict=True)
    ]
    answers = answer_prompts(AutoModelForCausalLM.from_pretrained(folder), tokenizer, prompts)
    wanted = [row["answer"] for row in rows[1:] + rows[:1]]
    assert sum(a == w for a, w in zip(answers, wanted, strict=True)) / len(rows) >= FLOOR


def test_every_skill_has_one_specialist() -> None:
    rehearsed = [t for t in FAMILY.values() if 1 not in t.mixture.skills.values()]
    specialists = [training.skill for training in rehearsed if training.skill]
    assert sorted(specialists) == sorted(SKILLS)
    assert len(CHAT) >= 2
