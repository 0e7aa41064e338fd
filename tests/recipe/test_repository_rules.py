"""Community recipes: what they must say, and what they may not name."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import RecipeError
from bot.recipe.repository_rules import check_community_rules, is_community, require_inside

GOOD = """\
name: my-merge
license: apache-2.0
authors: [someone]
suites: [quick]
merge_method: linear
models:
  - {model: acme/one@v1, parameters: {weight: 0.5}}
  - {model: acme/two+acme/adapter, parameters: {weight: 0.5}}
"""


KIND = "tokenizer: {tokens: {a: {source: {kind: model_token, model: ./base, token: b}}}}"


def written(folder: Path, text: str, name: str = "my-merge.yaml") -> Path:
    community = folder / "recipes" / "community"
    community.mkdir(parents=True, exist_ok=True)
    path = community / name
    path.write_text(text, "utf-8")
    return path


def messages(path: Path) -> list[tuple[int | None, str]]:
    with pytest.raises(RecipeError) as caught:
        check_community_rules(path)
    return [(found.line, found.message) for found in caught.value.problems()]


def test_a_complete_recipe_of_hub_models_passes(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert is_community(path)
    check_community_rules(path)


@pytest.mark.parametrize("key", ["name", "license", "authors", "suites"])
def test_each_required_field_is_asked_for(tmp_path: Path, key: str) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{key}:")]
    found = messages(written(tmp_path, "\n".join(lines)))
    assert found == [(1, f"a community recipe needs `{key}`")]
    empty = "\n".join(
        f"{key}:" if line.startswith(f"{key}:") else line for line in GOOD.split("\n")
    )
    assert messages(written(tmp_path, empty))[0][1] == f"a community recipe needs `{key}`"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("acme/one@v1", "./one", 7),
        ("acme/one@v1", "/srv/one", 7),
        ("acme/one@v1", "~/one", 7),
        ("acme/one@v1", "acme/one+../adapter", 7),
        ("acme/one@v1", "{model: {path: ./one}}", 7),
        ("acme/one@v1", "{model: acme/one, lora: {path: ./one}}", 7),
        ("merge_method: linear", "merge_method: linear\nbase_model: ./base", 6),
        ("merge_method: linear", "merge_method: linear\ntokenizer_source: ./base", 6),
        (
            "merge_method: linear",
            "merge_method: linear\n" + KIND,
            6,
        ),
    ],
)
def test_local_paths_are_refused_wherever_a_model_is_named(
    tmp_path: Path, old: str, new: str, line: int
) -> None:
    ((found, message),) = messages(written(tmp_path, GOOD.replace(old, new)))
    assert found == line
    assert "is a local path" in message


def test_the_file_is_called_after_the_recipe(tmp_path: Path) -> None:
    for name in ("other.yaml", "my-merge.yml"):
        ((line, message),) = messages(written(tmp_path, GOOD, name))
        assert (line, message) == (1, f"the file is called {name}, not after its `name`")


def test_a_link_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.yaml"
    target.write_text(GOOD)
    path = written(tmp_path, GOOD)
    path.unlink()
    path.symlink_to(target)
    assert messages(path) == [(1, "a community recipe must not be a symbolic link")]


def test_files_elsewhere_are_not_community_recipes(tmp_path: Path) -> None:
    assert not is_community(tmp_path / "recipes" / "skills" / "a.yaml")
    assert not is_community(tmp_path / "community" / "a.yaml")


def test_local_models_must_lie_in_the_repository(tmp_path: Path) -> None:
    repository, outside = tmp_path / "repository", tmp_path / "outside"
    for folder in (repository / "models" / "in", outside):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"")
    (repository / "link").symlink_to(outside)
    (repository / "half").mkdir()
    (repository / "half" / "model.safetensors").symlink_to(outside / "model.safetensors")
    for path, refused in [
        ("./models/in", False),
        ("./models/../models/in", False),
        ("./gone", False),
        ("../outside", True),
        ("./link", True),
        ("./half", True),
        (str(outside), True),
        ("acme/one+../outside", True),
    ]:
        recipe = repository / "recipe.yaml"
        recipe.write_text(f"merge_method: passthrough\nmodels:\n  - model: {path}\n")
        if not refused:
            require_inside(recipe, repository)
            continue
        with pytest.raises(RecipeError, match="leads out of the repository") as caught:
            require_inside(recipe, repository)
        assert [problem.line for problem in caught.value.problems()] == [3]
