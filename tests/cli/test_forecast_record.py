"""What stands against recording or publishing a merge is said by ``validate``."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from leaderboard.record_provenance import Check, LineageNode, Parent
from tests.cli.commands import run
from tests.families import write_family


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_family(tmp_path)
    return tmp_path


def rewritten(place: Path, **changes: object) -> Path:
    recipe = place / "recipe.yaml"
    content = {**yaml.safe_load(recipe.read_text("utf-8")), **changes}
    recipe.write_text(yaml.safe_dump(content), "utf-8")
    return recipe


def warnings(recipe: Path) -> list[str]:
    (found,) = run("validate", recipe, "--json").json()["recipes"]
    assert found["valid"], found
    return list(found["warnings"])


def test_a_recipe_that_can_be_published_has_nothing_to_note(place: Path) -> None:
    assert warnings(place / "recipe.yaml") == []


def test_filters_of_21_000_characters_are_no_reason_to_fail(place: Path) -> None:
    filters = [{"filter": f"q_proj{number:03}" + "x" * 90, "value": 0.5} for number in range(220)]
    weight = [*filters, {"value": 0.5}]
    models = [
        {"model": "./first", "parameters": {"weight": weight, "density": 0.5}},
        {"model": "./second", "parameters": {"weight": 0.5, "density": 0.5}},
    ]
    assert all("matches no tensor" in text for text in warnings(rewritten(place, models=models)))


def test_texts_of_a_record_are_cut_with_an_ellipsis_and_never_empty() -> None:
    parent = Parent.fitted(
        key="k", name="", ref="r" * 301, weight="w" * 20_001, languages=["x" * 400]
    )
    assert parent.name == "(no name)"
    assert parent.ref == "r" * 299 + "…"
    assert parent.weight == "w" * 19_999 + "…"
    assert parent.languages == ("x" * 299 + "…",)
    assert LineageNode.fitted(id="half \ud800", name="n", license=None).id == "half ?"
    check = Check(name="loads", hard=True, passed=False, detail="d" * 30_000)
    assert check.detail == "d" * 19_999 + "…"


@pytest.mark.parametrize(
    ("card", "says"),
    [
        ("license: [mit, gpl-3.0]\nbase_model: ['evil/']", None),
        ("license: mit\nbase_model: ['evil/', '', 'x']", None),
        (f"license: other\nlicense_name: {'n' * 2000}", None),
        ("license: [gpl-3.0, cc-by-nc-4.0]", "a copyleft license allows no further restrictions"),
        ("license: unknown", "its card declares 'unknown', which names no license"),
        ("license: {a: b}", "its card declares something that is no license id"),
        ("license: [", "its card cannot be understood"),
        ("tags: [x]", "its card declares none"),
    ],
)
def test_odd_cards_are_a_warning_at_most(card: str, says: str | None, place: Path) -> None:
    (place / "second/README.md").write_text(f"---\n{card}\n---\n", "utf-8")
    found = warnings(place / "recipe.yaml")
    assert bool(found) == (says is not None)
    assert says is None or says in found[0]


def test_a_name_that_a_license_forbids_is_a_warning(place: Path) -> None:
    (place / "second/README.md").write_text("---\nlicense: llama3.1\n---\n", "utf-8")
    (found,) = warnings(place / "recipe.yaml")
    assert "begins with Llama" in found
    assert warnings(rewritten(place, name="Llama-small-ties")) == []
