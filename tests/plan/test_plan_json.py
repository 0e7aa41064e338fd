"""plan.json: one text everywhere, and a digest that only the output's bytes can change."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.checkpoint.tensor_spec import Dtype
from bot.errors import RecordError
from bot.plan.merge_plan import Plan
from bot.plan.parent_model import Parent
from bot.plan.plan_json import PLAN_FILE, dump_plan, planned_digest, with_digest
from bot.plan.plan_table import describe_plan
from tests.plan.parents import llama
from tests.plan.recipes import plan_of
from tests.tokens.made import CORPUS, bpe
from tests.tokens.read_alignment import load_alignment

TEXT = """
merge_method: ties
base_model: org/base
models:
  - {model: org/a, parameters: {weight: [0.2, 0.8], density: 0.5}}
  - {model: org/b, parameters: {weight: 0.5, density: 0.5}}
tokenizer_source: union
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    def parent(name: str, *added: str) -> Parent:
        tokenizer = bpe(CORPUS, 40, added=added)
        files = {"tokenizer.json": tokenizer.to_str().encode()}
        return llama(name, vocab_size=tokenizer.get_vocab_size(), files=files)

    return plan_of(tmp_path, TEXT, parent("org/base"), parent("org/a", "<a>"), parent("org/b"))


def test_the_file_says_everything_about_a_plan_but_side_files_bytes(plan: Plan) -> None:
    assert plan.alignments
    content = json.loads(dump_plan(plan))
    assert (content["format"], content["version"]) == ("mergebot.plan", 1)
    assert [row["name"] for row in content["jobs"]] == [spec.name for spec in plan.layout]
    assert [tuple(row["shape"]) for row in content["jobs"]] == [one.shape for one in plan.layout]
    for row, job in zip(content["jobs"], plan.jobs, strict=True):
        assert row["models"] == [[slot.source, slot.tensor] for slot in job.models]
        assert row["parameters"].keys() == job.parameters.keys()
    read = {name: load_alignment(rows) for name, rows in content["alignments"].items()}
    assert read == plan.alignments
    assert content["files"] == {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in plan.files.items()
    }
    assert content["config_source"] == plan.config_source
    assert content["parents"] == dict(plan.parents)


def test_the_digest_is_read_back(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / PLAN_FILE
    assert planned_digest(path) is None
    path.write_text(dump_plan(plan))
    assert planned_digest(path) == plan.digest
    for text in ("{}", "", "[]", '{"format": "mergebot-plan-1"}', "[" * 99999):
        path.write_text(text)
        assert planned_digest(path) is None


def test_a_plan_of_a_newer_mergebot_is_refused(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / PLAN_FILE
    path.write_text(json.dumps(json.loads(dump_plan(plan)) | {"version": 2}))
    with pytest.raises(RecordError, match="made by a newer mergebot"):
        planned_digest(path)


def test_the_digest_moves_with_the_output_and_with_nothing_else(plan: Plan) -> None:
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


def test_the_description_adds_up(plan: Plan) -> None:
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
