"""plan.json: the same plan back, one text everywhere, a digest that only bytes can move."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.checkpoint.tensor_spec import Dtype
from bot.errors import PlanError
from bot.plan.plan_json import dump_plan, load_plan, with_digest
from bot.plan.plan_table import describe_plan
from tests.plan.parents import llama
from tests.plan.recipes import plan_of
from tests.tokens.made import CORPUS, bpe

TEXT = """
merge_method: ties
base_model: org/base
models:
  - {model: org/a, parameters: {weight: [0.2, 0.8], density: 0.5}}
  - {model: org/b, parameters: {weight: 0.5, density: 0.5}}
tokenizer_source: union
"""


@pytest.fixture
def plan(tmp_path: Path):
    def parent(name: str, *added: str):
        tokenizer = bpe(CORPUS, 40, added=added)
        files = {"tokenizer.json": tokenizer.to_str().encode()}
        return llama(name, vocab_size=tokenizer.get_vocab_size(), files=files)

    return plan_of(tmp_path, TEXT, parent("org/base"), parent("org/a", "<a>"), parent("org/b"))


def test_a_plan_comes_back_as_it_was(plan) -> None:
    assert plan.alignments
    again = load_plan(dump_plan(plan))
    assert again == plan
    assert dump_plan(again) == dump_plan(plan)


def test_the_digest_moves_with_the_output_and_with_nothing_else(plan) -> None:
    assert with_digest(plan).digest == plan.digest
    dearer = replace(plan.budget, seconds=plan.budget.seconds + 1)
    assert with_digest(replace(plan, budget=dearer, warnings=("x",))).digest == plan.digest
    job = replace(plan.jobs[0], seed=plan.jobs[0].seed + 1)
    others = (
        replace(plan, jobs=(job, *plan.jobs[1:])),
        replace(plan, jobs=plan.jobs[::-1]),
        replace(plan, dtype=Dtype.BF16),
        replace(plan, files={**plan.files, "config.json": b"{}"}),
        replace(plan, parents={**plan.parents, "a": "another commit"}),
        replace(plan, alignments={}),
    )
    digests = {with_digest(other).digest for other in others}
    assert len(digests | {plan.digest}) == len(others) + 1


def test_a_changed_or_foreign_plan_is_refused(plan) -> None:
    content = json.loads(dump_plan(plan))
    content["jobs"][0]["seed"] += 1
    with pytest.raises(PlanError, match="digest"):
        load_plan(json.dumps(content))
    for text in ("{}", "", "[]", '{"format": "x"}', '{"format": "mergebot-plan-1"}', "[" * 99999):
        with pytest.raises(PlanError, match="cannot be used"):
            load_plan(text)


def test_the_description_adds_up(plan) -> None:
    rows = describe_plan(plan)["tensors"]
    assert sum(row["bytes"] for row in rows) == plan.budget.output_bytes
    assert rows[0]["sources"] == [f"{key}:model.embed_tokens.weight" for key in ("base", "a", "b")]
    json.dumps(describe_plan(plan))


def test_planning_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, bot.plan.planner, bot.plan.open_sources, bot.plan.plan_table; "
        "import bot.plan.plan_json; "
        "print([m for m in ('torch', 'transformers', 'tokenizers', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
