"""The metadata: of the Hub's form whatever a record says, and left alone by the Hub's client."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bot.lineage.front_matter import Page, front_matter, model_index
from bot.lineage.front_matter_schema import front_matter_schema, front_matter_schema_text
from bot.lineage.hub_benchmarks import benchmarks, eval_results
from bot.lineage.model_card import render_card
from leaderboard.record import License, Record
from leaderboard.record_results import Score
from tests.leaderboard.samples import record_of

COMMITTED = Path("bot/lineage/front_matter.schema.json")
VALIDATOR = Draft202012Validator(front_matter_schema())
PAGE = Page(repo="org/model", url="https://huggingface.co/org/model", drawing="lineage.svg")
TEXTS = st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip()))


def test_adapters_are_named_and_nonsense_is_left_out() -> None:
    record = on_the_hub(record_of())
    first, second = record.parents
    parents = (
        first.model_copy(update={"ref": "org/base@main+org/lora@v1", "languages": ("English!",)}),
        second.model_copy(update={"ref": "org/base@other", "languages": ("en",)}),
    )
    found = front_matter(record.model_copy(update={"parents": parents}), PAGE)
    assert found["base_model"] == ["org/base", "org/lora"]
    assert found["language"] == ["en"]


def on_the_hub(record: Record) -> Record:
    parents = tuple(
        parent.model_copy(
            update={"url": f"https://huggingface.co/org/{parent.name}", "languages": ("en", "de")}
        )
        for parent in record.parents
    )
    return record.model_copy(update={"parents": parents})


def metadata(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text.split("---\n")[1])
    return found


def on_gsm8k(record: Record, items: int = 1319) -> Record:
    """The record with its first task renamed to an official benchmark."""
    suite = record.suites[0]
    task = suite.tasks[0].model_copy(update={"task": "gsm8k", "title": "GSM8K", "n": items})
    tasks = (task, *suite.tasks[1:])
    return record.model_copy(update={"suites": (suite.model_copy(update={"tasks": tasks}),)})


def test_the_committed_schema_is_the_one_the_program_builds() -> None:
    assert COMMITTED.read_text("utf-8") == front_matter_schema_text()
    Draft202012Validator.check_schema(json.loads(COMMITTED.read_text("utf-8")))


def test_a_card_of_a_record_is_of_the_hub_s_form() -> None:
    found = metadata(render_card(on_the_hub(record_of()), PAGE))
    VALIDATOR.validate(found)
    assert found["base_model"] == ["skills/base", "skills/sort-ft"]
    assert found["language"] == ["en", "de"]
    assert found["model-index"]


@pytest.mark.parametrize(
    "broken",
    [
        {"base_model_relation": "blend"},
        {"license": "apache"},
        {"license": "other"},
        {"base_model": ["./local"]},
        {"base_model": ["org/m@main"]},
        {"unknown_field": 1},
        {"language": ["english please"]},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_hub_would_not_understand(broken: dict[str, object]) -> None:
    data = front_matter(on_the_hub(record_of()), PAGE) | broken
    assert not VALIDATOR.is_valid(data)


@settings(deadline=None, max_examples=60)
@given(
    name=TEXTS, tags=st.lists(TEXTS, max_size=4), title=TEXTS, license=TEXTS, newer=st.booleans()
)
def test_any_words_give_valid_metadata_that_the_client_leaves_alone(
    name: str, tags: list[str], title: str, license: str, newer: bool, tmp_path_factory: object
) -> None:
    record = on_the_hub(record_of())
    suite = record.suites[0].model_copy(update={"title": title})
    record = record.model_copy(
        update={
            "name": name,
            "tags": tuple(tags),
            "suites": (suite,),
            "license": License(id="other", name=license),
        }
    )
    page = Page(repo="org/model", new_version="org/newer" if newer else None)
    text = render_card(record, page)
    VALIDATOR.validate(front_matter(record, page))
    card = ModelCard(text)
    assert str(card) == text
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()


def test_a_card_survives_the_client_s_load_and_save(tmp_path: Path) -> None:
    text = render_card(on_the_hub(record_of()), PAGE)
    path = tmp_path / "README.md"
    path.write_text(text, "utf-8")
    ModelCard.load(path).save(path)
    assert path.read_text("utf-8") == text


def test_the_client_reads_every_score_and_none_other() -> None:
    record = on_the_hub(record_of())
    data = ModelCard(render_card(record, PAGE)).data
    assert isinstance(data, ModelCardData)
    found = data.eval_results
    assert found
    assert all(isinstance(one, EvalResult) for one in found)
    own = {
        task.task: round(100 * task.scores[record.model_digest or ""].value, 2)
        for task in record.suites[0].tasks
    }
    assert {one.dataset_config: one.metric_value for one in found} == own


def test_an_official_benchmark_stands_in_one_place_only() -> None:
    record = on_gsm8k(record_of())
    text = eval_results(record, "https://huggingface.co/org/model/blob/main/record.json")
    assert text is not None
    (entry,) = yaml.safe_load(text)
    assert entry["dataset"] == {"id": "openai/gsm8k", "task_id": "gsm8k"}
    score = record.suites[0].tasks[0].scores[record.model_digest or ""]
    assert isinstance(score, Score)
    assert entry["value"] == round(100 * score.value, 2)
    assert entry["source"]["url"].startswith("https://")
    assert entry["date"] == record.created[:10]
    named = [row["dataset"]["config"] for row in model_index(record)[0]["results"]]
    assert "gsm8k" not in named
    assert len(named) == len(record.suites[0].tasks) - 1


def test_the_client_reads_what_stands_in_eval_results() -> None:
    from huggingface_hub import parse_eval_result_entries

    text = eval_results(on_gsm8k(record_of()), "https://huggingface.co/org/model")
    (entry,) = parse_eval_result_entries(yaml.safe_load(text or ""))
    assert (entry.dataset_id, entry.task_id) == ("openai/gsm8k", "gsm8k")


def test_a_part_of_a_benchmark_is_not_the_benchmark() -> None:
    record = on_gsm8k(record_of(), items=200)
    assert eval_results(record) is None
    named = [row["dataset"]["config"] for row in model_index(record)[0]["results"]]
    assert "gsm8k" in named


def test_every_listed_benchmark_has_an_id_the_hub_could_have() -> None:
    for benchmark in benchmarks().values():
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", benchmark.dataset)
        assert benchmark.items > 100
