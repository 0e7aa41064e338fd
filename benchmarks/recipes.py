"""One recipe per method over the synthetic checkpoints, in the grammar both tools read."""

from __future__ import annotations

from pathlib import Path

import yaml

TASK_VECTORS = {
    "task_arithmetic": {"weight": 0.5},
    "ties": {"weight": 0.5, "density": 0.5},
    "dare_linear": {"weight": 0.5, "density": 0.5},
    "dare_ties": {"weight": 0.5, "density": 0.5},
    "breadcrumbs": {"weight": 0.5, "density": 0.9, "gamma": 0.01},
    "breadcrumbs_ties": {"weight": 0.5, "density": 0.9, "gamma": 0.01},
    "della": {"weight": 0.5, "density": 0.5, "epsilon": 0.1},
    "della_linear": {"weight": 0.5, "density": 0.5, "epsilon": 0.1},
    "sce": {},
    "ram": {},
}
OVER_A_BASE = {"model_stock": {}, "multislerp": {"weight": 0.5}, **TASK_VECTORS}
PAIRS = {"slerp": {"t": 0.5}, "nearswap": {"t": 0.0001}, "arcee_fusion": {}}
FREE = {"linear": {"weight": 0.5}, "nuslerp": {"weight": 0.5}, "karcher": {}}
METHODS = ("passthrough", *FREE, *PAIRS, *OVER_A_BASE)


def recipe(method: str) -> dict[str, object]:
    """A recipe of two models, and the base where the method takes one."""
    pair = ["./first", "./second"]
    common = {"merge_method": method, "dtype": "bfloat16"}
    if method == "passthrough":
        return {**common, "models": [{"model": pair[0]}]}
    if method in FREE:
        models = [{"model": name, "parameters": FREE[method]} for name in pair]
        return {**common, "models": models}
    if method in PAIRS:
        models = [{"model": name} for name in pair]
        return {**common, "base_model": pair[0], "models": models, "parameters": PAIRS[method]}
    models = [{"model": name, "parameters": OVER_A_BASE[method]} for name in pair]
    return {**common, "base_model": "./base", "models": models}


def write_recipe(folder: Path, method: str) -> Path:
    """Put the recipe beside the checkpoints, so that relative paths hold for both tools."""
    path = folder / f"{method}.yaml"
    path.write_text(yaml.safe_dump(recipe(method), sort_keys=False), "utf-8")
    return path


def input_names(method: str) -> list[str]:
    """The checkpoints a recipe reads."""
    if method == "passthrough":
        return ["first"]
    return ["base", "first", "second"] if method in OVER_A_BASE else ["first", "second"]
