"""Headers from strangers: whatever safetensors refuses we refuse, with the file and the tensor."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from bot.checkpoint.file_layout import lay_out
from bot.checkpoint.header import (
    ALIGNMENT,
    MAX_HEADER_BYTES,
    build_header,
    header_length,
    parse_header,
)
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.errors import CheckpointError, PlanError


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def parse(header: Any, data_bytes: int) -> dict[str, Any]:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return dict(parse_header(raw, 8 + len(raw) + data_bytes, "x.safetensors"))


HOSTILE: list[tuple[str, Any, int, str]] = [
    ("not JSON", b"{nonsense", 0, "not JSON"),
    ("not an object", b"[1]", 0, "not a JSON object"),
    ("not UTF-8", b'{"\xff": 1}', 0, "not JSON"),
    ("deep nesting", b'{"a":' + b"[" * 100_000, 0, "not JSON"),
    ("duplicate name", b'{"a":1,"a":2}', 0, "'a' twice"),
    ("duplicate key", b'{"a":{"dtype":"F32","dtype":"F16"}}', 0, "'dtype' twice"),
    ("overlap", {"a": entry(), "b": entry(offsets=(4, 12))}, 12, "'b' overlaps"),
    ("same bytes", {"a": entry(), "b": entry()}, 8, "'b' overlaps"),
    ("hole", {"a": entry(), "b": entry(offsets=(12, 20))}, 20, "'b' leaves a hole"),
    ("does not start at 0", {"a": entry(offsets=(4, 12))}, 12, "leaves a hole"),
    ("beyond the file", {"a": entry()}, 7, "truncated"),
    ("bytes left over", {"a": entry()}, 9, "belong to no tensor"),
    ("wrong size", {"a": entry(shape=(3,))}, 8, "needs 12 bytes"),
    ("unknown dtype", {"a": entry("F7")}, 8, "unknown dtype 'F7'"),
    ("dtype no string", {"a": entry([1])}, 8, "unknown dtype"),
    ("negative", {"a": entry(shape=(-1, -2))}, 8, "not a list of counts"),
    ("huge product", {"a": entry(shape=(1 << 62, 4))}, 8, "needs"),
    ("beyond 64 bits", {"a": entry(shape=(1 << 70,))}, 8, "not a list of counts"),
    ("fraction", {"a": entry(shape=(2.0,))}, 8, "not a list of counts"),
    ("truth", {"a": entry(shape=(True, 2))}, 8, "not a list of counts"),
    ("backwards", {"a": entry(offsets=(8, 0))}, 8, "data_offsets"),
    ("three offsets", {"a": entry(offsets=(0, 4, 8))}, 8, "data_offsets"),
    ("no offsets", {"a": {"dtype": "F32", "shape": [2]}}, 8, "data_offsets"),
    ("half a surrogate pair", {"a\ud800": entry()}, 8, "half of a surrogate pair in its name"),
    ("entry no object", {"a": 3}, 8, "JSON object"),
    ("metadata no table", {"__metadata__": 3}, 0, "metadata"),
    ("metadata no strings", {"__metadata__": {"a": 1}}, 0, "metadata"),
]


@pytest.mark.parametrize(
    ("header", "data_bytes", "says"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE]
)
def test_a_lying_header_is_refused_by_name(header: Any, data_bytes: int, says: str) -> None:
    with pytest.raises(CheckpointError, match=says) as caught:
        parse(header, data_bytes)
    assert "x.safetensors" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("prefix", "file_bytes", "says"),
    [
        (b"", 0, "too few"),
        (b"1234567", 7, "too few"),
        ((MAX_HEADER_BYTES + 1).to_bytes(8, "little"), 1 << 40, "limit"),
        ((1 << 63).to_bytes(8, "little"), 100, "limit"),
        ((93).to_bytes(8, "little"), 100, "only 100"),
    ],
)
def test_an_impossible_length_is_refused(prefix: bytes, file_bytes: int, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        header_length(prefix, file_bytes, "x.safetensors")


def test_a_good_header_is_read_in_file_order() -> None:
    content = save({"b": np.ones((2, 3), np.float16), "a": np.ones((), np.int64)})
    length = header_length(content[:8], len(content), "x")
    extents = parse_header(content[8 : 8 + length], len(content), "x")
    starts = [extent.start for extent in extents.values()]
    assert starts == sorted(starts)
    assert {extent.spec for extent in extents.values()} == {
        TensorSpec(name="a", dtype=Dtype.I64, shape=()),
        TensorSpec(name="b", dtype=Dtype.F16, shape=(2, 3)),
    }


@pytest.mark.timeout(60)
def test_a_name_that_comes_twice_is_found_in_one_pass() -> None:
    names = [*range(300_000), 299_999]
    raw = json.dumps(dict.fromkeys(map(str, range(300_000)))).encode()[:-1] + b',"299999":null}'
    with pytest.raises(CheckpointError, match="'299999' twice"):
        parse_header(raw, 8 + len(raw), "x.safetensors")
    layout = [TensorSpec(name=str(name), dtype=Dtype.F32, shape=()) for name in names]
    with pytest.raises(PlanError, match="'299999'"):
        lay_out(layout)


specs = st.lists(
    st.builds(
        lambda name, dtype, shape: TensorSpec(name=name, dtype=dtype, shape=tuple(shape)),
        st.text(min_size=1, max_size=12).filter(lambda name: name != "__metadata__"),
        st.sampled_from(list(Dtype)),
        st.lists(st.integers(0, 5), max_size=4),
    ),
    max_size=6,
    unique_by=lambda spec: spec.name,
)


@settings(deadline=None)
@given(specs)
def test_what_is_built_is_read_by_safetensors_and_by_us(layout: list[TensorSpec]) -> None:
    header = build_header(layout)
    content = header + bytes(sum(spec.nbytes for spec in layout))
    assert len(header) % ALIGNMENT == 0
    ours = parse_header(header[8:], len(content), "x")
    assert [extent.spec for extent in ours.values() if extent.spec.elements] == [
        spec for spec in layout if spec.elements
    ]
    theirs = dict(deserialize(content))
    assert {name: (view["dtype"], tuple(view["shape"])) for name, view in theirs.items()} == {
        spec.name: (spec.dtype.value, spec.shape) for spec in layout
    }


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_file_is_never_accepted_where_safetensors_refuses(data: st.DataObject) -> None:
    content = bytearray(save({"a": np.ones((2, 3), np.float32), "b": np.ones(4, np.int8)}))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, min(len(content) - 1, 200)))
        content[place] = data.draw(st.integers(0, 255))
    raw = bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    try:
        deserialize(raw)
    except (SafetensorError, ValueError):
        with pytest.raises(CheckpointError):
            read_as_a_file(raw)


def read_as_a_file(raw: bytes) -> None:
    length = header_length(raw[:8], len(raw), "x")
    parse_header(raw[8 : 8 + length], len(raw), "x")
