"""Strategies that damage valid documents: their data, and the bytes they are written as."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

NESTED: Any = "x"
for _ in range(100):
    NESTED = [NESTED]

ODD = st.sampled_from(
    [None, True, False, -1, 0, 1, 3, 4096.5, 2**31, 2**63, 10**400, 1e308, float("nan"),
     float("inf"), "", "4096", "4x", "a" * 5000, "\ud800", "\u202e", "::add-mask::x", "##[error]",
     "../../etc/passwd", "./a", "org/a", "{{ x }}", "<b>", "a\nb", [], {}, [""], [None], [[]],
     {"": ""}, {"a": 1}, {"sweep": [1, 2]}, {"value": 1, "filter": "x"}, NESTED]
)  # fmt: skip
SMALL = st.one_of(ODD, st.integers(-5, 70), st.floats(width=32), st.text(max_size=5))
PIECES = st.sampled_from(
    [b"\x00", b"\xff", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\ud800", b"1e999", b"-", b"\n",
     b"NaN", b"&a ", b"*a", b"<<: ", b"!!python/object:os.system ", b"\xe2\x80\xae", b"9" * 50]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, document: Any, words: st.SearchStrategy[str]) -> Any:
    """A copy of a document with up to four changes at places that are drawn.

    Args:
        draw: Hypothesis'.
        document: dicts, lists and scalars.
        words: keys and texts that the format knows.
    """
    whole = [copy.deepcopy(document)]
    for _ in range(draw(st.integers(1, 4))):
        if not whole:  # the document itself was taken out
            break
        holder: Any = whole
        place: Any = 0
        while isinstance(holder[place], dict | list) and holder[place]:
            if draw(st.integers(0, 3)) == 0:
                break
            holder = holder[place]
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            place = draw(st.sampled_from(keys))
        _change(draw, holder, place, words)
    return whole[0] if whole else None


def _change(draw: st.DrawFn, holder: Any, place: Any, words: st.SearchStrategy[str]) -> None:
    match draw(st.integers(0, 4)):
        case 0:
            del holder[place]
        case 1:
            holder[place] = draw(words)
        case 2 if isinstance(holder, dict):
            holder[draw(words)] = holder.pop(place)
        case 3 if isinstance(holder, list):
            holder.insert(place, copy.deepcopy(holder[place]))
        case _:
            holder[place] = copy.deepcopy(draw(SMALL))


@st.composite
def written(
    draw: st.DrawFn,
    documents: st.SearchStrategy[Any],
    write: Callable[[Any], bytes] = lambda data: json.dumps(data).encode("utf-8", "surrogatepass"),
) -> bytes:
    """A document's bytes, of every fourth with pieces cut out or put in."""
    data = write(draw(documents))
    if draw(st.integers(0, 3)):
        return data
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.just(b"") | PIECES) + data[at + draw(st.integers(0, 20)) :]
    return data
