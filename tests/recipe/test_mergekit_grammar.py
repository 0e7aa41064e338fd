"""The same YAML means the same to mergekit; run where its slow import does not matter."""

from __future__ import annotations

import textwrap

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.recipe.parameter_schedule import resolve, value_at
from tests.recipe.drawn import DENSITIES, schedules
from tests.recipe.examples import EXAMPLES
from tests.recipe.support import parse

pytestmark = pytest.mark.slow
TENSORS = st.sampled_from(
    [
        "model.layers.3.mlp.up_proj.weight",
        "model.layers.3.self_attn.q_proj.weight",
        "a b #x : y no 1",
    ]
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_mergekit_reads_the_examples_too(name: str) -> None:
    from mergekit.config import MergeConfiguration

    config = MergeConfiguration.model_validate(yaml.safe_load(textwrap.dedent(EXAMPLES[name])))
    recipe = parse(EXAMPLES[name])
    assert config.merge_method == recipe.merge_method
    assert len(config.models or ()) == len(recipe.models or ())
    assert len(config.slices or ()) == len(recipe.slices or ())
    inputs = zip(config.models or (), recipe.models or (), strict=True)
    assert all(str(theirs.model) == str(ours.model) for theirs, ours in inputs)


@settings(deadline=None)
@given(schedules(DENSITIES), TENSORS, st.floats(min_value=0, max_value=1))
def test_schedules_have_mergekits_values(written: object, tensor: str, at: float) -> None:
    from mergekit.config import ConditionalParameter, evaluate_setting

    setting = written
    if isinstance(written, list) and isinstance(written[0], dict):
        setting = [ConditionalParameter(**row) for row in written]
    recipe = parse(yaml.safe_dump(_recipe(written)))
    ours = value_at(recipe.parameters["density"], tensor, at)
    assert ours == evaluate_setting(tensor, setting, at, validate=float)
    assert resolve("density", tensor, at, {}, recipe.parameters) == ours


def _recipe(density: object) -> dict[str, object]:
    return {
        "merge_method": "ties",
        "base_model": "o/base",
        "models": [{"model": "a/b"}],
        "parameters": {"weight": 1, "density": density},
    }
