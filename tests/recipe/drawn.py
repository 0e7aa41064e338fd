"""Random valid recipes, and random spellings of them."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import yaml
from hypothesis import strategies as st

NAMES = st.sampled_from(["a/one", "b/two@main", "./three", "c/four+d/five", "e/six@v1+./seven"])
WEIGHTS = st.floats(min_value=-4, max_value=4, allow_nan=False).map(lambda x: x + 0.0)
DENSITIES = st.floats(min_value=0, max_value=1)
FILTERS = st.sampled_from(["mlp", "self_attn", "a b", "#x", ": y", "no", "1"])


def schedules(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    values = numbers | st.lists(numbers, min_size=1, max_size=4)
    row = st.fixed_dictionaries({"value": values}, optional={"filter": FILTERS})
    return values | st.lists(row, min_size=1, max_size=3)


@st.composite
def recipe_data(draw: st.DrawFn) -> dict[str, Any]:
    """A valid recipe as plain data."""
    method = draw(st.sampled_from(["linear", "ties"]))
    optional = {"density": schedules(DENSITIES)} if method == "ties" else {}
    params = st.fixed_dictionaries({"weight": schedules(WEIGHTS)}, optional=optional)
    models = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    data: dict[str, Any] = {
        "merge_method": method,
        "models": [{"model": name, "parameters": draw(params)} for name in models],
    }
    if method == "ties":
        data["base_model"] = "o/base"
    if draw(st.booleans()):
        data["parameters"] = {"normalize": draw(st.booleans())}
    if draw(st.booleans()):
        data |= {"seed": draw(st.integers(0, 2**63 - 1)), "dtype": "float32"}
    return data


def spelt(data: dict[str, Any], random: Random) -> str:
    """The same recipe in another order of keys, another style, with comments and blank lines."""
    shuffled = _shuffled(data, random)
    if random.random() < 0.3:
        return "# JSON is YAML\n" + json.dumps(shuffled, indent=random.choice([None, 3]))
    # where scalars are folded over lines, a comment at a line's end would become part of them
    commented = random.choice([True, False])
    text = yaml.safe_dump(
        shuffled,
        sort_keys=False,
        default_flow_style=random.choice([None, True, False]),
        indent=random.choice([2, 4]),
        width=1_000_000 if commented else random.choice([20, 80]),
        explicit_start=random.choice([True, False]),
    )
    return text.replace("\n", "  # note\n" if commented else random.choice(["\n", "\r\n"]))


def _shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: _shuffled(value[key], random) for key in keys}
    if isinstance(value, list):
        return [_shuffled(item, random) for item in value]
    return value
