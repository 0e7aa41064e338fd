"""A small Llama family on disk, with a recipe: what commands and stages are tried on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.checkpoint.models import random_tensors, write_model
from tests.plan.parents import LLAMA, llama_shapes

RECIPE = """\
merge_method: ties
base_model: ./base
models:
  - model: ./first
    parameters: {weight: 0.5, density: 0.5}
  - model: ./second
    parameters: {weight: [0.2, 0.8], density: 0.3}
dtype: float32
name: small-ties
suites: [skills]
"""


def write_family(folder: Path) -> Path:
    """``base``, ``first``, ``second`` and ``recipe.yaml``; gives the recipe's path."""
    shapes = llama_shapes(LLAMA)
    base = random_tensors(0, shapes)
    config = {"config.json": json.dumps(LLAMA).encode()}
    card = {"README.md": b"---\nlicense: apache-2.0\n---\n# base\n"}
    write_model(folder / "base", base, config | card)
    for seed, name in enumerate(["first", "second"], start=1):
        step = random_tensors(seed, shapes)
        tuned = {key: base[key] + np.float32(0.1) * step[key] for key in base}
        card = {"README.md": b"---\nlicense: mit\nbase_model: ./base\n---\n"}
        write_model(folder / name, tuned, config | card)
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE, "utf-8")
    return recipe


def flip_bit(path: Path, position: int = -5) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(bytes(data))
