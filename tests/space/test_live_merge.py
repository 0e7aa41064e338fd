from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from bot.errors import UsageError
from bot.pipeline.live_merge import LiveMerge
from space_app.tabs.merge_slider import remade, slider_for
from tests.present import present
from tests.space.boards import SKILLS, SLIDING, context, sliding_settings


def weights(name: str) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = load_file(SKILLS / "models" / name / "model.safetensors")
    return found


@pytest.mark.parametrize("weight", [0.0, 0.35, 1.0])
def test_the_merge_at_a_weight_is_its_formula(weight: float) -> None:
    maker = LiveMerge()
    made = load_file(maker.remake(SLIDING, folder=SKILLS, weight=weight) / "model.safetensors")
    base, sort, step = (weights(f"skills-{name}") for name in ("base", "sort", "increment"))
    for name, tensor in made.items():
        origin = base[name].astype(np.float64)
        delta = (sort[name] - origin) + (step[name] - origin)
        np.testing.assert_allclose(tensor, origin + weight * delta, rtol=0, atol=2e-6)


def test_only_merges_with_one_weight_a_model_have_a_slider() -> None:
    maker = LiveMerge()
    assert maker.range_of(SLIDING) == (0.0, 1.5, 0.5)
    gradient = SLIDING.replace("weight: 0.4", "weight: [0.1, 0.9]")
    assert maker.range_of(gradient) is None
    assert maker.range_of("merge_method: [") is None
    with pytest.raises(UsageError):
        maker.remake(gradient, folder=SKILLS, weight=0.5)


def test_the_same_weight_is_made_once_and_old_ones_are_deleted() -> None:
    maker = LiveMerge()
    first = maker.remake(SLIDING, folder=SKILLS, weight=0.1)
    assert maker.remake(SLIDING, folder=SKILLS, weight=0.1) == first
    for place in range(8):
        maker.remake(SLIDING, folder=SKILLS, weight=0.2 + place / 10)
    assert not first.exists()


def test_the_space_shows_the_slider_and_talks_to_what_it_made(tmp_path: Path) -> None:
    here = context(tmp_path, **sliding_settings())
    assert slider_for(here, "digest-sliding").visible
    made, words = remade(here, "digest-sliding", 0.25)
    assert present(made).name == "sliding at 0.25"
    assert (Path(present(made).location) / "model.safetensors").is_file()
    assert "nobody has evaluated" in words
    assert not slider_for(here, "base").visible


def test_without_anything_registered_there_is_no_slider(tmp_path: Path) -> None:
    here = context(tmp_path, **(sliding_settings() | {"slider": None}))
    assert not slider_for(here, "digest-sliding").visible
    assert remade(here, "digest-sliding", 0.5)[0] is None
