"""Built-in templates as transformers renders them, and which template a merge carries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from bot.tokens.chat_template import BUILT_IN, chosen_template, model_template, with_template
from tests.plan.parents import HeaderSource

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "Bye"},
]
WANTED = {
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
    "<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
    "<|im_start|>assistant\n",
    "llama3": "<b><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nHi<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "mistral": "<b>[INST] Be brief.\n\nHello [/INST] Hi<e>[INST] Bye [/INST]",
    "alpaca": "Be brief.\n\n### Instruction:\nHello\n\n### Response:\nHi<e>\n\n"
    "### Instruction:\nBye\n\n### Response:\n",
    "exaone": "[|system|]Be brief.[|endofturn|]\n[|user|]Hello\n[|assistant|]Hi[|endofturn|]\n"
    "[|user|]Bye\n[|assistant|]",
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_formats(name: str) -> None:
    (text,), _ = render_jinja_template(
        [TALK],
        chat_template=chosen_template(name, []),
        add_generation_prompt=True,
        bos_token="<b>",
        eos_token="<e>",
    )
    assert text == WANTED[name]


def source(**files: Any) -> HeaderSource:
    data = {
        name.replace("__", "."): (value if isinstance(value, str) else json.dumps(value)).encode()
        for name, value in files.items()
    }
    return HeaderSource({}, data)


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({}, None),
        ({"tokenizer_config__json": {"chat_template": "{a}"}}, "{a}"),
        (
            {
                "tokenizer_config__json": {
                    "chat_template": [
                        {"name": "tool_use", "template": "{t}"},
                        {"name": "default", "template": "{d}"},
                    ]
                }
            },
            "{d}",
        ),
        ({"tokenizer_config__json": {"chat_template": 3}}, None),
        ({"tokenizer_config__json": {"chat_template": [3, {"name": [], "template": "{}"}]}}, None),
        ({"chat_template__json": {"chat_template": "{j}"}}, "{j}"),
        (
            {"chat_template__jinja": "{f}", "tokenizer_config__json": {"chat_template": "{a}"}},
            "{f}",
        ),
    ],
)
def test_a_models_own_template(files: dict[str, Any], wanted: str | None) -> None:
    assert model_template(source(**files), "org/model") == wanted


def test_auto_is_what_most_have_and_the_first_of_equals() -> None:
    assert chosen_template("auto", ["x", "y ", " y"]) == "y"
    assert chosen_template("auto", [None, "x", "y"]) == "x"
    assert chosen_template("auto", [None, None]) is None
    assert chosen_template("{{ messages }} by the recipe", ["x"]) == "{{ messages }} by the recipe"


def test_one_template_stays_among_the_files() -> None:
    files = {
        "tokenizer_config.json": b'{"chat_template": "old", "model_max_length": 3}',
        "chat_template.json": b"{}",
        "tokenizer.json": b"{}",
    }
    made = with_template(files, "new")
    assert set(made) == {"tokenizer_config.json", "tokenizer.json", "chat_template.jinja"}
    assert json.loads(made["tokenizer_config.json"]) == {"model_max_length": 3}
    assert made["chat_template.jinja"] == b"new"
    assert with_template({}, "new") == {"chat_template.jinja": b"new"}
