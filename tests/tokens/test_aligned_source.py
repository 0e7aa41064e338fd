"""The aligned source against rows gathered in one go, for any cut of reads, dtype and shape."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.checkpoint.source import Source, is_costly
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.tokens.aligned_source import AlignedSource
from bot.tokens.token_alignment import MISSING, Alignment
from tests.plan.parents import ArraySource

TORCH = {Dtype.F32: torch.float32, Dtype.F16: torch.float16, Dtype.BF16: torch.bfloat16}
EMBED = "model.embed_tokens.weight"


def stored(values: np.ndarray, dtype: Dtype) -> bytes:
    """float32 values as torch stores them in a dtype."""
    tensor = torch.from_numpy(np.array(values, np.float32)).to(TORCH[dtype])
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def rounded(values: np.ndarray, dtype: Dtype) -> np.ndarray:
    """float32 values after a round trip through a dtype."""
    return torch.from_numpy(np.array(values, np.float32)).to(TORCH[dtype]).float().numpy()


class Stored(ArraySource):
    """One tensor in any dtype."""

    def __init__(self, name: str, values: np.ndarray, dtype: Dtype) -> None:
        super().__init__({}, name="stored")
        self._tensors = {name: TensorSpec(name=name, dtype=dtype, shape=values.shape)}
        self._data = stored(values, dtype)

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        assert offset + out.nbytes <= len(self._data)
        out[:] = self._data[offset : offset + out.nbytes]


def read(source: Source, name: str, cuts: Sequence[int] = ()) -> bytes:
    spec = source.tensors()[name]
    data = bytearray(spec.nbytes)
    edges = [0, *sorted(min(cut, spec.nbytes) for cut in cuts), spec.nbytes]
    for start, stop in itertools.pairwise(edges):
        source.read_into(name, start, memoryview(data)[start:stop])
    return bytes(data)


def brute(alignment: Alignment, key: str, values: Mapping[str, np.ndarray], dtype: Dtype) -> bytes:
    """Every row by the definition, in float64 where there is arithmetic."""
    rows = []
    for row in range(alignment.tokens):
        own = alignment.own[key][row]
        sources = ((key, own),) if own != MISSING else alignment.fills[row]
        parts = [np.asarray(values[k][at], np.float64) for k, at in sources]
        rows.append(np.mean(parts, axis=0) if parts else np.zeros(values[key].shape[1:]))
    table = rounded(np.array(rows), dtype)
    mean = np.mean(np.asarray(table, np.float64), axis=0)
    padding = [mean] * (alignment.rows - alignment.tokens)
    return stored(np.array([*table, *padding]), dtype)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.tuples(st.sampled_from(list(TORCH)), st.sampled_from(list(TORCH))),
    st.sampled_from([(), (1,), (3,), (7,)]),
    st.lists(st.integers(0, 900), max_size=5),
)
def test_rows_are_those_of_the_definition(
    seed: int, kinds: tuple[Dtype, Dtype], width: tuple[int, ...], cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    dtypes = dict(zip("xy", kinds, strict=True))
    values = {key: rounded(rng.normal(size=(9, *width)), dtypes[key]) for key in "xy"}
    tokens = 14
    own = {key: rng.integers(-1, 9, size=tokens).tolist() for key in "xy"}
    choices = [(), (("x", 3),), (("y", 8),), (("x", 1), ("y", 2))]
    missing = [row for row in range(tokens) if MISSING in (own["x"][row], own["y"][row])]
    alignment = Alignment(
        tokens=tokens,
        rows=16,
        own={key: tuple(rows) for key, rows in own.items()},
        fills={row: choices[rng.integers(4)] for row in missing},
        tensors={EMBED: {"x": EMBED, "y": "other"}},
    )
    sources = {
        "x": Stored(EMBED, values["x"], dtypes["x"]),
        "y": Stored("other", values["y"], dtypes["y"]),
    }
    for key in "xy":
        aligned = AlignedSource(key, sources, alignment)
        met = dtypes["x"] if dtypes["x"] is dtypes["y"] else Dtype.F32
        assert aligned.tensors()[EMBED] == TensorSpec(name=EMBED, dtype=met, shape=(16, *width))
        assert read(aligned, EMBED, cuts) == brute(alignment, key, values, met)


def test_memory_and_reads_stay_small_whatever_the_vocabulary() -> None:
    rows, width = 40_000, 64
    table = np.arange(rows * width, dtype=np.float32).reshape(rows, width)
    order = np.random.default_rng(0).permutation(rows)
    source = ArraySource({EMBED: table, "norm": np.ones(4)})
    alignment = Alignment(
        tokens=rows, rows=rows, own={"x": tuple(order.tolist())}, fills={},
        tensors={EMBED: {"x": EMBED}},
    )  # fmt: skip
    aligned = AlignedSource("x", {"x": source}, alignment)
    assert is_costly(aligned, EMBED)
    assert not is_costly(aligned, "norm")
    assert read(aligned, EMBED) == table[order].tobytes()
    assert source.largest_read < 8 << 20
    assert read(aligned, "norm") == np.ones(4, np.float32).tobytes()
    assert aligned.file("config.json") is None


def test_many_threads_read_the_same_bytes() -> None:
    table = np.random.default_rng(1).normal(size=(500, 8)).astype(np.float32)
    alignment = Alignment(
        tokens=500, rows=512, own={"x": tuple(range(499, -1, -1))}, fills={},
        tensors={EMBED: {"x": EMBED}},
    )  # fmt: skip
    aligned = AlignedSource("x", {"x": ArraySource({EMBED: table})}, alignment)
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(read(aligned, EMBED))) for _ in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_the_id_follows_the_alignment() -> None:
    source = ArraySource({EMBED: np.ones((4, 2))})

    def made(*own: int) -> AlignedSource:
        alignment = Alignment(
            tokens=4, rows=4, own={"x": own}, fills={}, tensors={EMBED: {"x": EMBED}}
        )
        return AlignedSource("x", {"x": source}, alignment)

    assert made(0, 1, 2, 3).id == made(0, 1, 2, 3).id
    assert made(0, 1, 2, 3).id != made(1, 0, 2, 3).id
