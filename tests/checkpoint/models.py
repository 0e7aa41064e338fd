"""Small checkpoints on disk for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from bot.checkpoint.folder_source import FolderSource


def write_model(
    folder: Path, tensors: Mapping[str, np.ndarray], files: Mapping[str, bytes] | None = None
) -> FolderSource:
    """A folder with ``model.safetensors`` and side files, opened."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})
    for name, data in (files or {"config.json": b"{}"}).items():
        (folder / name).write_bytes(data)
    return FolderSource(folder)


def random_tensors(seed: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """float32 normal tensors."""
    rng = np.random.default_rng(seed)
    return {name: np.asarray(rng.normal(size=shape), np.float32) for name, shape in shapes.items()}
