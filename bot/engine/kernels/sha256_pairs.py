"""SHA-256 of two messages side by side.

A processor's instructions for SHA-256 wait for each other, so that two messages at once take as
long as one; hashlib takes one at a time. Where there are no such instructions hashlib does it all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.checkpoint.digest import Sha256s, one_by_one
from bot.engine.kernels.sha256_code import CHUNK, START, State, compress
from bot.engine.kernels.target_cpu import processor

_LENGTH_BYTES = 8


def sha256s(features: str | None = None) -> Sha256s:
    """The fastest way to hash several messages on this processor, or on one with such features."""
    known = processor()[1] if features is None else features
    return _two_by_two if "+sha" in known.split(",") else one_by_one


def _two_by_two(messages: Sequence[memoryview]) -> list[bytes]:
    even = len(messages) // 2 * 2
    found = one_by_one(messages[even:])
    for place in range(even - 2, -1, -2):
        found[:0] = _pair(messages[place], messages[place + 1])
    return found


def _pair(left: memoryview, right: memoryview) -> tuple[bytes, bytes]:
    """Both digests: side by side as far as the shorter message goes."""
    states = np.array([START, START])
    done = min(left.nbytes, right.nbytes) // CHUNK * CHUNK
    compress(states, left[:done], right[:done])
    return _finish(states[0], left, done), _finish(states[1], right, done)


def _finish(state: State, message: memoryview, done: int) -> bytes:
    """The digest of a message whose first bytes are done; the others go beside themselves."""
    states = np.array([state, state])
    whole = message.nbytes // CHUNK * CHUNK
    compress(states, message[done:whole], message[done:whole])
    last = memoryview(bytes(message[whole:]) + _padding(message.nbytes))
    compress(states, last, last)
    return bytes(states[0].astype(">u4"))


def _padding(nbytes: int) -> bytes:
    """A one, zeros up to a whole chunk, and the length in bits (FIPS 180-4, section 5.1.1)."""
    zeros = -(nbytes + 1 + _LENGTH_BYTES) % CHUNK
    return b"\x80" + bytes(zeros) + (8 * nbytes).to_bytes(_LENGTH_BYTES, "big")
