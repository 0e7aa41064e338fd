"""The committed recipes: every one reads cleanly, its parents are here, the methods are many."""

from __future__ import annotations

from pathlib import Path

import yaml
from skill_items import SKILLS

from bot.recipe.load_recipe import load_recipe

METHODS = {
    "linear",
    "slerp",
    "task_arithmetic",
    "ties",
    "dare_ties",
    "dare_linear",
    "model_stock",
    "passthrough",
}


def test_recipes_read_cleanly_and_find_their_parents(family_folder: Path) -> None:
    paths = sorted(family_folder.glob("*.yaml"))
    methods = set()
    for path in paths:
        load_recipe(path)
        recipe = yaml.safe_load(path.read_text("utf-8"))
        methods.add(recipe["merge_method"])
        assert recipe["name"] == f"skills-{path.stem}"
        assert recipe["suites"] == ["skills"]
        inputs = recipe.get("models") or [s for x in recipe["slices"] for s in x["sources"]]
        for model in [*(entry["model"] for entry in inputs), recipe.get("base_model")]:
            assert model is None or (path.parent / model / "model.safetensors").is_file()
    assert len(paths) >= 8
    assert methods == METHODS


def test_tasks_point_at_the_data_beside_them(family_folder: Path) -> None:
    paths = sorted((family_folder / "tasks").glob("*.yaml"))
    assert len(paths) == 2 * len(SKILLS)
    for path in paths:
        task = yaml.safe_load(path.read_text("utf-8"))
        assert task["task"] == path.stem
        assert (path.parent / task["dataset_kwargs"]["data_files"]["test"]).is_file()
        kwargs = task.get("generation_kwargs")
        assert (kwargs is None) == (task["output_type"] == "multiple_choice")
        assert kwargs is None or (kwargs["until"], kwargs["do_sample"]) == (["\n"], False)
