"""The card: the record's words and numbers, and nothing a stranger could smuggle in."""

from __future__ import annotations

import re

import yaml

from bot.lineage.card import render_card
from bot.lineage.front_matter import front_matter
from leaderboard.schema import Licence, Record
from leaderboard.verdict import judge, sentence
from leaderboard.wording import points
from tests.leaderboard.samples import record_of

HOSTILE = "x](javascript:alert(1)) <img src=x onerror=alert(1)> @everyone `|`\n---\nlicense: mit"


def parts(text: str) -> tuple[dict[str, object], str]:
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def plain(text: str) -> str:
    """Markdown without escapes and joiners, for comparing words."""
    return re.sub(r"\\(.)", r"\1", text).replace("\u2060", "").replace("&lt;", "<")


def test_the_same_record_gives_the_same_card() -> None:
    assert render_card(record_of()) == render_card(record_of())


def test_the_verdict_stands_on_top() -> None:
    record = record_of()
    _, body = parts(render_card(record))
    head = plain(body[:600])
    assert sentence(judge(record), record.name) in head


def test_every_score_in_the_table_is_the_record_s() -> None:
    record = record_of()
    body = render_card(record)
    for suite in record.suites:
        for task in suite.tasks:
            row = next(line for line in body.splitlines() if line.startswith(f"| {task.title} |"))
            for score in task.scores.values():
                assert points(score.value) in row


def test_metadata_says_merge_and_licence() -> None:
    record = record_of()
    front, _ = parts(render_card(record))
    assert front["base_model_relation"] == "merge"
    assert front["library_name"] == "transformers"
    assert "merge" in front["tags"]


def test_an_unsettled_licence_is_not_declared_but_explained() -> None:
    record = record_of().model_copy(
        update={"licence": Licence(id="unknown", conflicts=("the licence of a/b is unknown",))}
    )
    assert "license" not in front_matter(record)
    assert "must not be published" in render_card(record)


def test_hostile_names_stay_text() -> None:
    record: Record = record_of().model_copy(
        update={"name": HOSTILE, "description": HOSTILE, "tags": (HOSTILE,)}
    )
    text = render_card(record)
    front, body = parts(text)
    assert front["tags"][-1] == HOSTILE.replace("\n", " ")
    assert set(front) <= {
        "base_model", "base_model_relation", "library_name", "pipeline_tag", "license", "tags",
        "model-index",
    }  # fmt: skip
    assert "<img" not in body
    assert not re.search(r"(?<!\\)\]\(javascript", body)
    assert not re.search(r"(?<!\\)@everyone", body)


def test_a_recipe_cannot_leave_its_code_block() -> None:
    record = record_of()
    recipe = record.recipe.model_copy(
        update={"text": "a: b\n```\n<script>alert(1)</script>\n````\n"}
    )
    body = render_card(record.model_copy(update={"recipe": recipe}))
    fence = next(line for line in body.splitlines() if line.endswith("yaml")).removesuffix("yaml")
    assert len(fence) > 4
    assert body.count(f"\n{fence}\n") == 1
