"""The card: the record's words and numbers, and nothing a stranger could smuggle in."""

from __future__ import annotations

import re
from typing import Any

import yaml
from statsmodels.stats.multitest import multipletests

from bot.lineage.front_matter import Page, front_matter
from bot.lineage.model_card import render_card
from leaderboard.number_format import points
from leaderboard.record import Attempts, License, Record, Retraction, Sweep
from leaderboard.record_provenance import Check, Flag
from leaderboard.verdict import judge, sentence
from tests.leaderboard.samples import record_of

HOSTILE = "x](javascript:alert(1)) <img src=x onerror=alert(1)> @everyone `|`\n---\nlicense: mit"


def parts(text: str) -> tuple[dict[str, Any], str]:
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


def test_it_says_what_the_merge_is_good_at_and_only_what_is_sure() -> None:
    record = record_of()
    (suite,) = record.suites
    best = judge(record).best_parent
    (comparison,) = [one for one in suite.comparisons if one.parent == best]
    titles = {task.task: task.title for task in suite.tasks}
    ours = [min(1.0, 2 * row.p_greater) for row in comparison.tasks]
    rejected = multipletests(ours, alpha=0.05, method="holm")[0]
    sure = {titles[row.task] for row, sure in zip(comparison.tasks, rejected, strict=True) if sure}
    body = plain(render_card(record))
    assert set(re.findall(r"^- better on (\w+) \(", body, re.MULTILINE)) == sure
    assert sure


def test_a_retraction_stands_above_everything() -> None:
    told = Retraction(
        run_key="run-steady", reason="a *leak*", by="ada", created="2026-11-23T10:00:00Z"
    )
    _, body = parts(render_card(record_of().model_copy(update={"retraction": told})))
    assert "**Retracted** on 2026-11-23: a \\*leak\\*" in body[:200]


def test_a_page_on_the_hub_names_itself_and_where_to_report_it() -> None:
    page = Page(repo="org/m", url="https://h/org/m", drawing="lineage.svg", report="https://h/new")
    text = render_card(record_of(), page)
    assert "mergebot verify org/m" in text
    assert 'from_pretrained("org/m")' in text
    assert "[Report this model](https://h/new)" in text
    assert "](lineage.svg)" in text


def test_metadata_says_merge_and_license() -> None:
    record = record_of()
    front, _ = parts(render_card(record))
    assert front["base_model_relation"] == "merge"
    assert front["library_name"] == "transformers"
    assert "merge" in front["tags"]


def test_an_unsettled_license_is_not_declared_but_explained() -> None:
    record = record_of().model_copy(
        update={"license": License(id="unknown", conflicts=("the license of a/b is unknown",))}
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


def test_it_says_among_how_many_the_model_was_chosen_and_where() -> None:
    sweep = Sweep(name="swept", trials=6, selection_split="skills-search")
    chosen = record_of(attempts=Attempts(family="skills", count=8, sweep=sweep))
    body = plain(render_card(chosen))
    assert "8 attempts over these parents" in body
    assert "chosen among 6 variants on the search split (skills-search)" in body
    assert "chosen among" not in render_card(record_of())


HOSTILE = (
    "x\n# Owned\n![i](https://evil.example/i.png) @everyone <img src=x> "
    "[a](javascript:alert(1)) | `c` \u202e"
)


def test_text_from_strangers_is_inert_everywhere_on_the_card() -> None:
    record = record_of()
    suites = tuple(
        suite.model_copy(
            update={
                "title": HOSTILE,
                "suite": HOSTILE,
                "tasks": tuple(task.model_copy(update={"title": HOSTILE}) for task in suite.tasks),
            }
        )
        for suite in record.suites
    )
    license = License(
        id="other", name=HOSTILE, links=("javascript:alert(1)",), reasons=(HOSTILE,),
        derived_from=(HOSTILE,),
    )  # fmt: skip
    hostile = record.model_copy(
        update={
            "name": HOSTILE,
            "description": HOSTILE,
            "license": license,
            "parents": tuple(
                parent.model_copy(update={"name": HOSTILE, "license": HOSTILE})
                for parent in record.parents
            ),
            "suites": suites,
            "versions": {HOSTILE: HOSTILE},
            "checks": (Check(name=HOSTILE, hard=False, passed=False, detail=HOSTILE),),
            "flags": (Flag(kind="other", source="s", path=(HOSTILE,), reason=HOSTILE),),
            "retraction": Retraction(
                run_key=record.run_key, reason=HOSTILE, by="x", created=record.created
            ),
        }
    )
    card = render_card(hostile)
    front, _, body = card.removeprefix("---\n").partition("\n---\n")
    assert yaml.safe_load(front)["license_name"].count("\n") == 0
    without_recipe = re.sub(r"```.*?```", "", body, flags=re.DOTALL)
    for live in ("\n# Owned", "![i](", "@everyone", "<img", "\u202e"):
        assert live not in without_recipe, live
    assert [line for line in body.splitlines() if line.startswith("# ")] == [
        body.strip().splitlines()[0]
    ]
