"""Ways to draw tensors, models and recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from bot.engine.random_masks import PhiloxDraws
from bot.methods.core.all_methods import catalogue
from bot.methods.core.apply import Inputs, apply

SHAPES = [(), (1,), (2,), (50,), (1, 9), (9, 1), (6, 7), (3, 4, 5), (2, 3, 2, 3)]


def bf16(values: np.ndarray) -> np.ndarray:
    """The nearest bfloat16 values, as float32."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def family(
    seed: int, shape: tuple[int, ...], models: int, *, scale: float = 0.1, coarse: bool = False
) -> tuple[np.ndarray, list[np.ndarray]]:
    """A base and its fine-tunes; coarse ones are bf16-valued and tie often."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=shape).astype(np.float32)
    tunes = [base + (scale * rng.normal(size=shape)).astype(np.float32) for _ in range(models)]
    if coarse:
        base, tunes = bf16(base), [bf16(tune) for tune in tunes]
    return np.asarray(base, np.float32), [np.asarray(tune, np.float32) for tune in tunes]


@st.composite
def families(draw: st.DrawFn, least: int = 1, most: int = 4) -> tuple[np.ndarray, list[np.ndarray]]:
    """(base, models) of any shape, both fine and coarse."""
    shape = draw(st.sampled_from(SHAPES))
    seed = draw(st.integers(0, 2**32 - 1))
    count = draw(st.integers(least, most))
    return family(seed, shape, count, coarse=draw(st.booleans()))


def weights(count: int) -> st.SearchStrategy[tuple[float, ...]]:
    """Weights of both signs, zero among them."""
    one = st.sampled_from([-1.5, -1.0, -0.3, 0.0, 0.25, 0.5, 1.0, 2.0])
    return st.lists(one, min_size=count, max_size=count).map(tuple)


def densities(count: int) -> st.SearchStrategy[tuple[float, ...]]:
    """Shares from nothing to everything."""
    one = st.one_of(st.sampled_from([0.0, 0.001, 0.5, 1.0]), st.floats(0.01, 0.99))
    return st.lists(one, min_size=count, max_size=count).map(tuple)


def run(
    name: str,
    base: np.ndarray | None,
    models: Sequence[np.ndarray],
    parameters: Mapping[str, object] | None = None,
    *,
    seed: int = 0,
    grain: int = 1 << 20,
    tensor: str = "w",
) -> np.ndarray:
    """Merge one tensor by the method of that name."""
    method = catalogue()[name]
    inputs = Inputs(
        base=None if method.signature.base == "none" else base,
        models=models,
        tensor=tensor,
        draws=PhiloxDraws(seed=seed, tensor=tensor),
    )
    return apply(method, inputs, parameters or {}, grain=grain)
