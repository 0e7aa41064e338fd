"""What lm-eval would score silently is refused, and what it is told is what it does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from bot.errors import EvaluationError
from bot.evaluation import Settings, Suite, TaskSpec, suite
from bot.evaluation.backends.hf import CheckedLM
from bot.evaluation.harness import run_task
from bot.evaluation.lm_eval_tasks import chosen_items, load_task
from bot.evaluation.suite_schema import Part
from leaderboard.sample_scores import TaskScores
from tests.evaluation.conftest import ITEMS, load_mini, rows
from tests.evaluation.models import VOCABULARY, weights, write_model

FAMILY = Path(__file__).parents[2] / "recipes/skills/models"


def score(model: Path, suite: Suite, name: str, *, settings: Settings | None = None) -> TaskScores:
    settings = settings or Settings.of(suite)
    spec = next(task for task in suite.tasks if task.name == name)
    lm = CheckedLM(model, settings, lambda done, total: None)
    return run_task(lm, load_task(spec, suite, settings), spec, suite, settings).scores


def oracle_answers(folder: Path, prompts: list[str], new_tokens: int) -> list[str]:
    """Greedy decoding by transformers alone, one prompt at a time, cut at the first newline."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    answers = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        made = model.generate(ids, max_new_tokens=new_tokens, do_sample=False)[0, ids.shape[1] :]
        answers.append(tokenizer.decode(made, skip_special_tokens=True).split("\n")[0])
    return answers


def test_greedy_answers_are_those_of_transformers_alone(plain: Path, tmp_path: Path) -> None:
    """The data expect exactly what the model says on even items, so those and only those score."""
    small = load_mini(tmp_path)
    asked = [f"d0=y\n\nq{n}=" for n in range(ITEMS)]
    said = oracle_answers(plain, asked, new_tokens=6)
    content = rows("q")
    for n, row in enumerate(content):
        row["answer"] = said[n] if n % 2 == 0 else said[n] + "x"
    text = "".join(json.dumps(row) + "\n" for row in content)
    (tmp_path / "data/test.jsonl").write_text(text)
    assert score(plain, small, "mini_say").scores.tolist() == [1.0, 0.0] * (ITEMS // 2)


def test_choices_are_those_of_the_larger_likelihood(plain: Path, mini: Suite) -> None:
    model = AutoModelForCausalLM.from_pretrained(plain, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(plain)
    expected = []
    for row in rows("q"):
        ids = tokenizer(row["prompt"], return_tensors="pt")["input_ids"]
        logits = model(ids).logits[0, -1].detach()
        best = max(row["choices"], key=lambda choice: float(logits[VOCABULARY[choice]]))
        expected.append(float(best == row["answer"]))
    assert score(plain, mini, "mini_pick").scores.tolist() == expected


@pytest.mark.parametrize("task", ["mini_say", "mini_pick"])
def test_a_model_with_a_nan_is_refused(task: str, mini: Suite, tmp_path: Path) -> None:
    tensors = weights(0)
    tensors["model.norm.weight"][3] = np.nan
    broken = write_model(tmp_path / "nan", tensors=tensors)
    with pytest.raises(EvaluationError, match=r"finite|nan"):
        score(broken, mini, task)


@pytest.mark.parametrize("task", ["mini_say", "mini_pick"])
def test_a_prompt_that_does_not_fit_is_refused(task: str, plain: Path, tmp_path: Path) -> None:
    longest = {"mini_say": len("d0=y\n\nq10=") + 1 + 6, "mini_pick": len("q10=") + 1}[task]
    fits = load_mini(tmp_path / "fits", max_length=longest)
    assert len(score(plain, fits, task)) == ITEMS
    tight = load_mini(tmp_path / "tight", max_length=longest - 1)
    with pytest.raises(EvaluationError, match="does not fit"):
        score(plain, tight, task)


def test_a_prompt_beyond_the_models_own_positions_is_refused(mini: Suite, tmp_path: Path) -> None:
    short = write_model(tmp_path / "short", context=4)
    with pytest.raises(EvaluationError, match="does not fit into 4"):
        score(short, mini, "mini_pick")


def test_a_template_is_applied_when_the_suite_says_so(
    plain: Path, chatty: Path, mini: Suite
) -> None:
    bare, on = Settings.of(mini), replace(Settings.of(mini), apply_chat_template=True)
    turns = replace(on, few_shot_as_multiturn=True)
    prompts = {
        name: score(chatty, mini, "mini_say", settings=settings).prompt_hashes[1]
        for name, settings in (("bare", bare), ("on", on), ("turns", turns))
    }
    expected = {
        "bare": "d0=y\n\nq1=",
        "on": "<s><|user|>d0=y\n\nq1=<|assistant|>",
        "turns": "<s><|user|>d0=<|assistant|>y<|user|>q1=<|assistant|>",
    }
    assert prompts == {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in expected.items()
    }
    with pytest.raises(EvaluationError, match="no chat template"):
        score(plain, mini, "mini_say", settings=on)


def test_a_models_own_decoding_settings_do_not_count(
    plain: Path, mini: Suite, tmp_path: Path
) -> None:
    odd = write_model(tmp_path / "odd", seed=0)
    own = {"do_sample": True, "temperature": 2.0, "repetition_penalty": 3.0, "max_new_tokens": 1}
    (odd / "generation_config.json").write_text(json.dumps({"eos_token_id": 2, **own}))
    assert score(odd, mini, "mini_say") == score(plain, mini, "mini_say")


def test_the_share_of_capped_answers_is_counted(plain: Path, tmp_path: Path) -> None:
    small = load_mini(tmp_path)
    asked = [f"d0=y\n\nq{n}=" for n in range(ITEMS)]
    model = AutoModelForCausalLM.from_pretrained(plain, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(plain)
    capped = 0
    for prompt in asked:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        made = model.generate(ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :].tolist()
        capped += not {VOCABULARY["\n"], VOCABULARY["</s>"]} & set(made)
    assert score(plain, small, "mini_say").capped == pytest.approx(capped / ITEMS)


def test_batch_size_changes_nothing_in_float32(plain: Path, mini: Suite) -> None:
    alone = replace(Settings.of(mini), batch_size=1)
    together = replace(Settings.of(mini), batch_size=ITEMS)
    for task in ("mini_say", "mini_pick"):
        first = score(plain, mini, task, settings=alone)
        assert first == score(plain, mini, task, settings=together)


def test_a_limit_takes_the_first_items(plain: Path, mini: Suite) -> None:
    limited = score(plain, mini, "mini_pick", settings=Settings.of(mini, limit=5))
    full = score(plain, mini, "mini_pick")
    assert limited.doc_ids == (0, 1, 2, 3, 4)
    assert limited.scores.tolist() == full.scores.tolist()[:5]


def test_a_frozen_part_depends_on_the_items_keys_only(plain: Path, mini: Suite) -> None:
    spec = mini.tasks[1].model_copy(update={"part": Part(key="prompt", count=4, salt="s")})
    settings = Settings.of(mini)
    task = load_task(spec, mini, settings)
    ranked = sorted(
        range(ITEMS), key=lambda n: hashlib.sha256(f"s:{rows('q')[n]['prompt']}".encode()).digest()
    )
    assert chosen_items(task, spec, None) == sorted(ranked[:4])
    part = replace(mini, data=mini.data.model_copy(update={"tasks": (spec,)}))
    scores = score(plain, part, "mini_pick")
    assert scores.doc_ids == tuple(sorted(ranked[:4]))
    full = score(plain, mini, "mini_pick")
    assert scores.doc_hashes == tuple(full.doc_hashes[n] for n in scores.doc_ids)


def test_loading_a_task_does_not_depend_on_what_came_before(mini: Suite) -> None:
    spec, settings = mini.tasks[0], Settings.of(mini)
    load_task(spec, mini, settings)
    first = torch.rand(3)
    torch.rand(17)
    load_task(spec, mini, settings)
    assert torch.equal(first, torch.rand(3))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "f1"}, "no single number named 'f1'"),
        ({"filter": "strict"}, "0 of 12 items"),
        ({"file": "mini_pick.yaml"}, "defines task 'mini_pick'"),
        ({"file": "nowhere.yaml"}, "none of"),
    ],
)
def test_a_suite_that_does_not_fit_its_task_is_explained(
    change: dict[str, str], said: str, plain: Path, mini: Suite
) -> None:
    spec: TaskSpec = mini.tasks[0].model_copy(update=change)
    changed = replace(mini, data=mini.data.model_copy(update={"tasks": (spec,)}))
    with pytest.raises(EvaluationError, match=said):
        score(plain, changed, "mini_say")


def test_rows_of_another_form_are_explained(plain: Path, tmp_path: Path) -> None:
    small = load_mini(tmp_path)
    (tmp_path / "data/test.jsonl").write_text('{"something": "else"}\n')
    with pytest.raises(EvaluationError, match="mini_say of suite mini does not load"):
        score(plain, small, "mini_say")


def test_a_folder_that_is_no_model_is_explained(mini: Suite, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvaluationError, match="empty does not load"):
        score(tmp_path / "empty", mini, "mini_say")


@pytest.mark.parametrize("turns", [0, 1], ids=["first turn", "second turn"])
def test_a_model_that_learned_turns_answers_in_its_template(turns: int) -> None:
    """``skills-double`` has the template; a few-shot example becomes an earlier turn."""
    skills = suite("skills-search")
    spec = next(task for task in skills.tasks if task.name == "skills_double_search")
    spec = spec.model_copy(update={"few_shot": turns, "few_shot_first": True})
    spoken = replace(skills, data=skills.data.model_copy(update={"tasks": (spec,)}))
    settings = replace(
        Settings.of(spoken, limit=100), apply_chat_template=True, few_shot_as_multiturn=True
    )
    assert score(FAMILY / "skills-double", spoken, spec.name, settings=settings).mean > 0.4
