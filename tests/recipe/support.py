"""Small signatures and short ways to read a recipe, shared by the tests of this folder."""

from __future__ import annotations

import textwrap
from typing import Any, Literal

from bot.errors import Problem, RecipeError
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.method_signature import Parameter, Signature
from bot.recipe.recipe import Recipe

Kind = Literal["float", "int", "bool", "choice"]
Scope = Literal["global", "per_model"]
Base = Literal["required", "optional", "none"]


def param(
    name: str, kind: Kind = "float", scope: Scope = "global", required: bool = False, **more: Any
) -> Parameter:
    return Parameter(name=name, kind=kind, scope=scope, required=required, **more)


def method(
    name: str,
    *parameters: Parameter,
    base: Base = "none",
    models: tuple[int, int | None] = (1, None),
) -> Signature:
    return Signature(
        name=name,
        title=name,
        base=base,
        minimum_models=models[0],
        maximum_models=models[1],
        parameters=parameters,
    )


WEIGHT = param("weight", scope="per_model", required=True)
DENSITY = param("density", scope="per_model", minimum=0.0, maximum=1.0, default=1.0)
NORMALIZE = param("normalize", kind="bool", default=True)
LAMBDA = param("lambda", default=1.0)
EPSILON = param("epsilon", minimum=0.0, minimum_excluded=True, default=1e-5)
SCOPE = param("scope", kind="choice", choices=("tensor", "model"), default="tensor")

SIGNATURES = {
    row.name: row
    for row in (
        method("linear", WEIGHT, NORMALIZE),
        method("slerp", param("t", required=True), base="required", models=(1, 1)),
        method("nuslerp", WEIGHT, base="optional", models=(2, 2)),
        method("task_arithmetic", WEIGHT, LAMBDA, base="required"),
        method("ties", WEIGHT, DENSITY, NORMALIZE, LAMBDA, SCOPE, base="required"),
        method("dare_ties", WEIGHT, DENSITY, NORMALIZE, LAMBDA, base="required"),
        method("karcher", param("max_iter", kind="int", minimum=1, default=10), EPSILON),
        method("passthrough", param("scale", scope="per_model"), models=(1, 1)),
        method("model_stock", base="required", models=(2, None)),
    )
}


def parse(text: str) -> Recipe:
    return parse_recipe(textwrap.dedent(text), "r.yaml", SIGNATURES)


def problems(text: str | bytes) -> list[Problem]:
    """What is wrong with a recipe; empty when nothing is."""
    source = textwrap.dedent(text) if isinstance(text, str) else text
    try:
        parse_recipe(source, "r.yaml", SIGNATURES)
    except RecipeError as error:
        return list(error.problems())
    return []


def only(text: str | bytes) -> Problem:
    """The single problem of a recipe."""
    found = problems(text)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]


def place(problem: Problem) -> tuple[int | None, int | None]:
    return (problem.line, problem.column)


def marked(text: str) -> tuple[str, tuple[int, int]]:
    """A recipe whose expected place is marked by ``→``, without the mark, and that place."""
    text = textwrap.dedent(text)
    before, after = text.split("→")
    return before + after, (before.count("\n") + 1, len(before.rsplit("\n", 1)[-1]) + 1)


LINEAR = "merge_method: linear\nmodels: [{model: a/b, parameters: {weight: 1}}]\n"
TIES = (
    "merge_method: ties\nbase_model: o/base\n"
    "models: [{model: a/b, parameters: {weight: 1}}, {model: c/d, parameters: {weight: 1}}]\n"
)
SLERP = "merge_method: slerp\nbase_model: a/b\nmodels: [{model: a/b}, {model: c/d}]\n"
STOCK = "merge_method: model_stock\nbase_model: o/base\n"
SLICES = "merge_method: passthrough\nslices:\n"
