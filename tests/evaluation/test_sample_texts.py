"""Items in words: what was asked, expected and answered, and only where a suite shows its items."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bot.evaluation import Settings, Suite
from leaderboard.item_texts import MOST_CHARACTERS, ItemTexts
from tests.evaluation.conftest import ITEMS, Ran, load_mini, rows
from tests.evaluation.test_harness import oracle_answers, score


def test_a_generated_answer_stands_beside_its_question_without_examples(
    plain: Path, mini: Suite
) -> None:
    texts = score(plain, mini, "mini_say").texts
    assert texts is not None
    assert texts.questions == tuple(row["prompt"] for row in rows("q"))
    assert texts.expected == tuple(row["answer"] for row in rows("q"))
    asked = [f"d0=y\n\nq{n}=" for n in range(ITEMS)]
    assert [answer.strip() for answer in texts.answers] == [
        answer.strip() for answer in oracle_answers(plain, asked, new_tokens=6)
    ]


@pytest.mark.parametrize("metric", ["acc", "acc_norm"])
def test_the_choice_shown_is_the_one_that_was_scored(
    metric: str, plain: Path, tmp_path: Path
) -> None:
    small = load_mini(tmp_path)
    content = [{**row, "choices": [row["choices"][0] * 5, "n"]} for row in rows("q")]
    for row in content:
        row["answer"] = row["choices"][0] if row["answer"] == "y" else "n"
    (tmp_path / "data/test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    both = [{"metric": one, "aggregation": "mean", "higher_is_better": True} for one in
            ("acc", "acc_norm")]  # fmt: skip
    task = tmp_path / "mini_pick.yaml"
    task.write_text(task.read_text() + f"\nmetric_list: {json.dumps(both)}\n")
    tasks = tuple(one.model_copy(update={"metric": metric}) for one in small.tasks)
    scores = score(
        plain, replace(small, data=small.data.model_copy(update={"tasks": tasks})), "mini_pick"
    )
    assert scores.texts is not None
    assert scores.texts.expected == tuple(row["answer"] for row in content)
    right = [
        float(expected == answer)
        for expected, answer in zip(scores.texts.expected, scores.texts.answers, strict=True)
    ]
    assert scores.scores.tolist() == right
    assert set(scores.texts.answers) <= {"yyyyy", "n"}


def test_where_the_choices_are_beginnings_the_question_is_how_they_all_end(
    plain: Path, tmp_path: Path
) -> None:
    small = load_mini(tmp_path)
    content = yaml.safe_load((tmp_path / "mini_pick.yaml").read_text())
    turned = {"doc_to_text": "{{choices.index(answer)}}", "doc_to_target": "{{prompt}}"}
    (tmp_path / "mini_pick.yaml").write_text(yaml.safe_dump(content | turned))
    texts = score(plain, small, "mini_pick").texts
    assert texts is not None
    assert texts.questions == tuple(row["prompt"] for row in rows("q"))
    assert texts.expected == tuple(row["answer"] for row in rows("q"))


def test_a_task_without_answers_in_words_has_scores_alone(plain: Path, tmp_path: Path) -> None:
    small = load_mini(tmp_path)
    content = yaml.safe_load((tmp_path / "mini_pick.yaml").read_text())
    del content["doc_to_choice"]
    likely = {"output_type": "loglikelihood", "doc_to_target": "{{answer}}"}
    (tmp_path / "mini_pick.yaml").write_text(yaml.safe_dump(content | likely))
    scores = score(plain, small, "mini_pick")
    assert len(scores) == ITEMS
    assert scores.texts is None


def test_the_template_is_no_part_of_the_question(chatty: Path, mini: Suite) -> None:
    settings = replace(Settings.of(mini), apply_chat_template=True)
    texts = score(chatty, mini, "mini_say", settings=settings).texts
    assert texts is not None
    assert texts.questions[0] == "q0="


def test_long_items_are_shortened(plain: Path, tmp_path: Path) -> None:
    small = load_mini(tmp_path)
    content = rows("q")
    content[0]["answer"] = "y" * 10_000
    (tmp_path / "data/test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    texts = score(plain, small, "mini_say").texts
    assert texts is not None
    assert len(texts.expected[0]) == MOST_CHARACTERS


def test_every_model_of_a_suite_that_shows_its_items_has_them(ran: Ran) -> None:
    for evaluation in ran.evaluations.values():
        for scores in evaluation.task_scores.values():
            assert isinstance(scores.texts, ItemTexts)
            assert len(scores.texts.answers) == ITEMS


def test_a_suite_that_keeps_its_items_gives_none(plain: Path, mini: Suite) -> None:
    private = replace(mini, data=mini.data.model_copy(update={"publish_samples": False}))
    scores = score(plain, private, "mini_say")
    assert scores.texts is None
    assert "q0=" not in json.dumps(scores.as_dict())
    assert scores == replace(score(plain, mini, "mini_say"), texts=None)
