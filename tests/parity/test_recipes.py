"""Whole recipes, drawn at random, through plan and engine against mergekit 0.1.5."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.methods.core.all_methods import catalogue
from tests.parity.checkpoints import LAYERS, merge_both, write_siblings
from tests.parity.decisions import leeway
from tests.parity.peer import assert_agree, size_of
from tests.present import present

METHODS = {
    "linear": ("weight",),
    "slerp": ("t",),
    "nuslerp": ("weight",),
    "multislerp": ("weight",),
    "karcher": (),
    "task_arithmetic": ("weight", "lambda"),
    "ties": ("weight", "density", "lambda"),
    "breadcrumbs": ("weight", "density", "gamma"),
    "breadcrumbs_ties": ("weight", "density", "gamma"),
    "model_stock": (),
    "ram": (),
    "ramplus_tl": (),
    "nearswap": ("t",),
    "passthrough": ("scale",),
}
FLAGS = {
    "linear": ("normalize",),
    "nuslerp": ("nuslerp_flatten", "nuslerp_row_wise"),
    "multislerp": ("normalize_weights",),
    "task_arithmetic": ("normalize",),
    "ties": ("normalize",),
    "breadcrumbs": ("normalize",),
    "breadcrumbs_ties": ("normalize",),
}
RANGES = {"density": (0.001, 1.0), "gamma": (0.0, 0.3), "t": (0.05, 1.0), "scale": (0.5, 2.0)}
POSITIVE = ("nuslerp", "multislerp", "linear")
FILTERS = ["self_attn", "mlp.down", "layers.2.", "norm", "embed_tokens"]


KINDS = ("float32", "bf16-valued", "odd shapes")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    roots = {kind: tmp_path_factory.mktemp("siblings") for kind in KINDS}
    for kind, root in roots.items():
        write_siblings(root, coarse=kind == "bf16-valued", odd=kind == "odd shapes")
    return roots


def numbers(method: str, parameter: str) -> st.SearchStrategy[float]:
    low, high = RANGES.get(parameter, (0.1, 1.5) if method in POSITIVE else (-1.5, 1.5))
    return st.floats(low, high).map(lambda value: round(value, 3))


def schedules(method: str, parameter: str) -> st.SearchStrategy[Any]:
    """A number, a gradient, or a list with filters and a last row for the rest."""
    plain = st.one_of(
        numbers(method, parameter), st.lists(numbers(method, parameter), min_size=2, max_size=4)
    )
    row = st.fixed_dictionaries({"filter": st.sampled_from(FILTERS), "value": plain})
    rows = st.tuples(st.lists(row, min_size=1, max_size=2), plain).map(
        lambda drawn: [*drawn[0], {"value": drawn[1]}]
    )
    return st.one_of(plain, plain, rows)


@st.composite
def recipes(draw: st.DrawFn, root: Path) -> dict[str, Any]:
    method = draw(st.sampled_from(sorted(METHODS)))
    signature = catalogue()[method].signature
    most = min(3, signature.maximum_models or 3)
    count = draw(st.integers(max(signature.minimum_models, 1), most))
    names = draw(st.permutations(["a", "b", "c"]))[:count]
    based = signature.base == "required" or (signature.base == "optional" and draw(st.booleans()))
    recipe: dict[str, Any] = {"merge_method": method, "dtype": "float32"}
    if based:
        recipe["base_model"] = str(root / "base")
    per_model = [k for k in METHODS[method] if present(signature.parameter(k)).scope == "per_model"]
    whole = [k for k in METHODS[method] if k not in per_model]
    flags = {flag: draw(st.booleans()) for flag in FLAGS.get(method, ())}
    shared = {k: draw(schedules(method, k)) for k in whole} | flags
    if shared:
        recipe["parameters"] = shared
    members = [member(draw, root / name, method, per_model) for name in names]
    if method == "slerp":  # mergekit wants both ends listed
        members.insert(0, {"model": str(root / "base")})
    if draw(st.booleans()):
        recipe["models"] = members
    else:
        recipe["slices"] = slices(draw, members, root if based else None)
    return recipe


def member(draw: st.DrawFn, path: Path, method: str, parameters: Sequence[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"model": str(path)}
    if parameters:
        entry["parameters"] = {one: draw(schedules(method, one)) for one in parameters}
    return entry


def slices(
    draw: st.DrawFn, members: list[dict[str, Any]], root: Path | None
) -> list[dict[str, Any]]:
    """One to three slices; every source of a slice takes the same layers."""
    bounds = sorted(draw(st.sets(st.integers(1, LAYERS - 1), max_size=2)))
    base = None if root is None else {"model": str(root / "base")}
    listed = base is None or any(entry["model"] == base["model"] for entry in members)
    extra = [] if base is None or listed else [base]
    return [
        {"sources": [{**entry, "layer_range": [first, last]} for entry in [*extra, *members]]}
        for first, last in zip([0, *bounds], [*bounds, LAYERS], strict=True)
    ]


def check(root: Path, data: st.DataObject) -> None:
    recipe = data.draw(recipes(root))
    with tempfile.TemporaryDirectory() as folder:
        both = merge_both(recipe, Path(folder))
    assert set(both.ours) == set(both.peer)
    for name, ours in both.ours.items():
        job, (base, models) = both.jobs[name], both.inputs[name]
        if job.method is None:
            assert (ours == both.peer[name]).all()
            continue
        room = leeway(job.method, base, models, dict(job.parameters))
        size = size_of(base, models)
        assert_agree(ours, both.peer[name], size, room.condition, room.undecided)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_random_recipe_is_mergekits(
    families: Mapping[str, Path], kind: str, data: st.DataObject
) -> None:
    check(families[kind], data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_many_random_recipes_are_mergekits(
    families: Mapping[str, Path], kind: str, data: st.DataObject
) -> None:
    check(families[kind], data)
