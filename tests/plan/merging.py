"""The same recipe merged by our plan with the methods' plain functions, and by mergekit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mergekit.config import MergeConfiguration
from mergekit.io.tasks import LoaderCache
from mergekit.merge import run_merge
from mergekit.options import MergeOptions

from bot.checkpoint.folder_source import FolderSource
from bot.methods.core.all_methods import catalogue
from bot.methods.core.apply import Inputs, apply
from bot.plan.merge_plan import Plan
from bot.plan.open_sources import open_sources
from bot.plan.parent_model import Parent
from bot.plan.planner import make_plan
from bot.recipe.load_recipe import load_recipe


def ours(recipe: dict[str, Any], tmp_path: Path) -> tuple[Plan, dict[str, np.ndarray]]:
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe))
    loaded = load_recipe(file)
    parents = {
        ref: Parent(key=ref.name, ref=ref, source=FolderSource(ref.path))
        for ref in loaded.references()
    }
    plan = make_plan(loaded, parents, catalogue())
    sources = open_sources(plan, parents.values())
    merged = {}
    for job in plan.jobs:
        arrays = []
        for slot in job.inputs:
            spec = sources[slot.source].tensors()[slot.tensor]
            assert spec.shape == job.output.shape
            data = bytearray(spec.nbytes)
            sources[slot.source].read_into(slot.tensor, 0, memoryview(data))
            arrays.append(np.frombuffer(data, "<f4").reshape(spec.shape))
        base = arrays.pop(0) if job.base else None
        merged[job.output.name] = (
            apply(catalogue()[job.method], Inputs(models=arrays, base=base), job.parameters)
            if job.method
            else arrays[0]
        )
    return plan, merged


def theirs(recipe: dict[str, Any], out: Path) -> None:
    LoaderCache().loaders.clear()
    config = MergeConfiguration.model_validate(recipe)
    run_merge(config, str(out), MergeOptions(quiet=True, write_model_card=False))
