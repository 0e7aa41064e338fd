from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from bot.errors import UsageError
from bot.events import silent
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.live_merge import LiveMerge
from bot.pipeline.merge_recipe import merge_into_folder
from bot.recipe.load_recipe import load_recipe
from space_app.app_context import Context
from space_app.chat.chat_backend import ChatModel, Sampling, Turn
from space_app.chat.chat_models import chat_model
from space_app.chat.chat_service import ChatUpdate, Question
from space_app.tabs.merge_slider import slider_for
from tests.present import present
from tests.space.backends import ScriptedBackend
from tests.space.boards import SKILLS, SLIDING, context, sliding_settings


def weights(name: str) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = load_file(SKILLS / "models" / name / "model.safetensors")
    return found


@pytest.mark.parametrize("scale", [0.0, 0.35, 1.0, 1.5])
def test_the_merge_at_a_scale_is_its_formula(scale: float) -> None:
    live_merge = LiveMerge()
    folder = live_merge.merge_at(SLIDING, folder=SKILLS, scale=scale)
    merged = load_file(folder / "model.safetensors")
    base, sort, step = (weights(f"skills-{name}") for name in ("base", "sort", "increment"))
    for name, tensor in merged.items():
        start = base[name].astype(np.float64)
        vector = 0.4 * (sort[name] - start) + 0.6 * (step[name] - start)
        np.testing.assert_allclose(tensor, start + scale * vector, rtol=0, atol=2e-6)


def test_scale_one_is_the_published_merge_to_the_byte(tmp_path: Path) -> None:
    """A recipe with several weights keeps them: the slider never replaces them by their mean."""
    (tmp_path / "recipe.yaml").write_text(SLIDING.replace("./models", str(SKILLS / "models")))
    recipe = load_recipe(tmp_path / "recipe.yaml")
    merge_into_folder(recipe, tmp_path / "out", EngineOptions(threads=2), silent)
    live_merge = LiveMerge()
    again = live_merge.merge_at(SLIDING, folder=SKILLS, scale=1.0)
    published = (tmp_path / "out/model.safetensors").read_bytes()
    assert (again / "model.safetensors").read_bytes() == published


def test_a_recipes_own_scale_is_multiplied() -> None:
    with_own = SLIDING.replace("dtype:", "parameters: {lambda: 0.5}\ndtype:")
    live_merge = LiveMerge()
    by_slider = live_merge.merge_at(SLIDING, folder=SKILLS, scale=0.5)
    by_recipe = live_merge.merge_at(with_own, folder=SKILLS, scale=1.0)
    files = [folder / "model.safetensors" for folder in (by_slider, by_recipe)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_only_methods_with_a_scale_have_a_slider() -> None:
    live_merge = LiveMerge()
    assert live_merge.scale_range(SLIDING) == (0.0, 2.0)
    gradient = SLIDING.replace("weight: 0.4", "weight: [0.1, 0.9]")
    assert live_merge.scale_range(gradient) == (0.0, 2.0)
    base = "base_model: ./models/skills-base\n"
    mean = SLIDING.replace("task_arithmetic", "linear").replace(base, "")
    assert live_merge.scale_range(mean) is None
    assert live_merge.scale_range("merge_method: [") is None
    with pytest.raises(UsageError):
        live_merge.merge_at(mean, folder=SKILLS, scale=0.5)


def test_the_same_scale_is_made_once_and_old_ones_are_deleted() -> None:
    live_merge = LiveMerge()
    first = live_merge.merge_at(SLIDING, folder=SKILLS, scale=0.1)
    assert live_merge.merge_at(SLIDING, folder=SKILLS, scale=0.1) == first
    for place in range(8):
        live_merge.merge_at(SLIDING, folder=SKILLS, scale=0.2 + place / 10)
    assert not first.exists()


def published(here: Context) -> ChatModel:
    row = present(here.live.current.find("digest-sliding"))
    return present(chat_model(row, here.settings.weights))


def asked(here: Context, scale: float) -> tuple[ChatModel, list[ChatUpdate]]:
    """What the Space says when the merge is asked at a scale."""
    model = here.rescaler.at_scale(published(here), scale)
    question = Question(
        visitor="v", models=(model,), histories=((Turn("user", "hello"),),), system="",
        sampling=Sampling(),
    )  # fmt: skip
    return model, list(here.chat_service.ask("s", question))


def test_the_space_talks_to_the_merge_at_the_scale_and_labels_it(tmp_path: Path) -> None:
    backend = ScriptedBackend()
    here = context(tmp_path, backends=[backend], **sliding_settings())
    slider, reset = slider_for(here, "digest-sliding")
    assert (slider.visible, slider.value, reset.visible) == (True, 1.0, True)
    model, updates = asked(here, 0.25)
    assert updates[0].status == "Merging sliding at scale 0.25…"
    assert updates[-1].status == "Done."
    used = backend.requests[-1].model
    assert used.name == "sliding at scale 0.25"
    assert (Path(used.location) / "model.safetensors").is_file()
    assert here.rescaler.label(model) == "sliding at scale 0.25, made here and not evaluated"
    model, updates = asked(here, 1.0)
    assert here.rescaler.label(model) == "sliding, the published merge"
    assert backend.requests[-1].model.location == "somewhere/digest-sliding"
    assert not slider_for(here, "base")[0].visible


def test_a_scale_out_of_range_is_kept_inside_it(tmp_path: Path) -> None:
    here = context(tmp_path, backends=[ScriptedBackend()], **sliding_settings())
    plain = published(here)
    assert here.rescaler.at_scale(plain, 90.0).scale == 2.0
    assert here.rescaler.at_scale(plain, float("nan")) == plain


def test_a_merge_that_fails_is_a_sentence(tmp_path: Path) -> None:
    changes = sliding_settings() | {"recipe_folder": lambda _row: tmp_path}
    here = context(tmp_path, backends=[ScriptedBackend()], **changes)
    _, updates = asked(here, 0.5)
    assert updates[-1].status.startswith("Not merged: ")
    assert "skills-base" in updates[-1].status


def test_without_anything_registered_there_is_no_slider(tmp_path: Path) -> None:
    here = context(tmp_path, **(sliding_settings() | {"live_merge": None}))
    assert not slider_for(here, "digest-sliding")[0].visible
    plain = published(here)
    assert here.rescaler.at_scale(plain, 0.5) == plain
    with pytest.raises(UsageError):
        here.rescaler(replace(plain, scale=0.5))
