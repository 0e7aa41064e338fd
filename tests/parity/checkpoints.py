"""Tiny Llama siblings on disk, and one recipe merged by both engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mergekit.config import MergeConfiguration
from mergekit.io.tasks import LoaderCache
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from safetensors.numpy import load_file, save_file

from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.memory_checkpoint import MemorySink
from bot.checkpoint.source import Source
from bot.engine.execute import execute
from bot.methods.core.all_methods import catalogue
from bot.plan.merge_plan import TensorJob
from bot.plan.open_sources import open_sources
from bot.plan.parent_model import Parent
from bot.plan.planner import make_plan
from bot.recipe.load_recipe import load_recipe
from tests.methods.cases import bf16
from tests.tokens.made import CORPUS, bpe, write_llama

LAYERS = 4
NAMES = ("base", "a", "b", "c")
ODD = {
    "input_layernorm.weight": (),
    "post_attention_layernorm.weight": (1,),
    "q_proj.weight": (1, 9),
    "k_proj.weight": (9, 1),
    "v_proj.weight": (3, 4, 5),
    "o_proj.weight": (1, 1),
    "up_proj.weight": (2, 3, 2, 3),
    "down_proj.weight": (257,),
}
"""Shapes that no Llama has, for tensors whose names end so."""


def write_siblings(root: Path, *, coarse: bool, odd: bool = False) -> None:
    """A base and three fine-tunes, float32; coarse ones hold bf16 values only, odd ones ``ODD``."""
    tokenizer = bpe(CORPUS, 40)
    for seed, name in enumerate(NAMES):
        config = {"num_hidden_layers": LAYERS, "hidden_size": 8, "intermediate_size": 12}
        tensors = write_llama(root / name, tokenizer, seed=0, **config)
        rng, common = np.random.default_rng(seed), np.random.default_rng(99)
        origin = np.random.default_rng(98)
        for key, values in tensors.items():
            shape = next((ODD[end] for end in ODD if odd and key.endswith(end)), None)
            values = values if shape is None else origin.normal(size=shape)
            drift = common.normal(size=values.shape) + rng.normal(size=values.shape)
            moved = values + min(seed, 1) * 0.1 * drift
            single = np.asarray(moved, np.float32)
            tensors[key] = bf16(single) if coarse else single
        save_file(tensors, root / name / "model.safetensors", metadata={"format": "pt"})


def without_sharing(recipe: dict[str, Any]) -> dict[str, Any]:
    """Without shared parts, which YAML would write as anchors."""
    copy: dict[str, Any] = json.loads(json.dumps(recipe))
    return copy


@dataclass
class Both:
    """Our merge and mergekit's, and what went into each output tensor."""

    jobs: dict[str, Any]
    inputs: dict[str, Any]
    ours: dict[str, Any]
    peer: dict[str, Any]


def merge_both(recipe: dict[str, Any], folder: Path) -> Both:
    """Merge by plan and engine, and by mergekit."""
    jobs, inputs, ours = merge_ours(recipe, folder)
    LoaderCache().loaders.clear()
    config = MergeConfiguration.model_validate(recipe)
    run_merge(config, str(folder / "peer"), MergeOptions(quiet=True, write_model_card=False))
    peer = load_file(folder / "peer" / "model.safetensors")
    return Both(jobs=jobs, inputs=inputs, ours=ours, peer=peer)


def merge_ours(
    recipe: dict[str, Any], folder: Path
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The jobs, their inputs and what plan and engine make of them, by output tensor."""
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(without_sharing(recipe)))
    loaded = load_recipe(file)
    parents = {
        ref: Parent(key=ref.name, ref=ref, source=FolderSource(ref.path))
        for ref in loaded.references()
    }
    plan = make_plan(loaded, parents, catalogue())
    sources, sink = open_sources(plan, parents.values()), MemorySink()
    execute(plan, sources, sink, threads=1)
    jobs = {job.output.name: job for job in plan.jobs}
    inputs = {name: read_inputs(job, sources) for name, job in jobs.items()}
    ours = {
        name: np.frombuffer(sink.tensors[name], "<f4").reshape(job.output.shape)
        for name, job in jobs.items()
    }
    return jobs, inputs, ours


def read_inputs(
    job: TensorJob, sources: Mapping[str, Source]
) -> tuple[np.ndarray | None, list[np.ndarray]]:
    """(base or None, models) of a job, in float32."""
    arrays = []
    for slot in job.inputs:
        data = bytearray(job.output.elements * 4)
        sources[slot.source].read_into(slot.tensor, 0, memoryview(data))
        arrays.append(np.frombuffer(data, "<f4").reshape(job.output.shape))
    return (arrays[0], arrays[1:]) if job.base else (None, arrays)
