"""The compression function of SHA-256 (FIPS 180-4, section 6.2.2) for two messages at once.

Made of LLVM's instructions, since numba knows none of those that processors have for SHA-256.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt
from llvmlite import ir

from bot.engine.kernels.target_cpu import target_machine

CHUNK = 64
"""Bytes that are taken at a time."""
State = npt.NDArray[np.uint32]
START: State = np.array(
    [
        0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
        0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
    ],
    np.uint32,
)  # fmt: skip
"""The words a to h before anything is hashed (section 5.3.3)."""
_ROUNDS = (
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
)  # fmt: skip
"""Constants of the rounds (section 4.2.2)."""
_HELD = (5, 4, 1, 0), (7, 6, 3, 2)
"""How the instructions hold a state: the words f e b a, and h g d c."""
_NAME = "compress"
_COMPILING = threading.Lock()
_LANES = (0, 1)
_I64, _POINTER = ir.IntType(64), ir.PointerType(ir.IntType(8))
_WORDS = ir.VectorType(ir.IntType(32), 4)


def compress(states: State, left: memoryview, right: memoryview) -> None:
    """Take whole chunks, as many of either message, into its state; the interpreter is free.

    Args:
        states: uint32 (2, 8), words a to h of either message; changed.
        left: bytes in one piece, a multiple of 64.
        right: as many.
    """
    if left.nbytes:
        held = np.ascontiguousarray(states[:, _HELD])  # (2, 2, 4)
        places = (np.frombuffer(data, np.uint8).ctypes.data for data in (held, left, right))
        _compiled()(*places, left.nbytes // CHUNK)
        states[:, _HELD] = held


def _compiled() -> Callable[..., None]:
    with _COMPILING:  # by the thread that comes first; the others need it too
        return _made()


@cache
def _made() -> Callable[..., None]:
    machine = target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(_module())), machine)
    engine.finalize_object()
    types = *[ctypes.c_void_p] * 3, ctypes.c_int64
    function: Any = ctypes.CFUNCTYPE(None, *types)(engine.get_function_address(_NAME))
    function.engine = engine  # the code lives as long as its engine
    return function  # type: ignore[no-any-return]


def _module() -> ir.Module:
    """A function of states (as held), left, right (addresses), and how many chunks, at least 1."""
    module = ir.Module()
    kind = ir.FunctionType(ir.VoidType(), [_POINTER, _POINTER, _POINTER, _I64])
    function = ir.Function(module, kind, _NAME)
    states, *messages, chunks = function.args
    before, loop, after = map(function.append_basic_block, ("before", "loop", "after"))
    code = ir.IRBuilder(before)
    places = [[_place(code, states, 32 * lane + 16 * half) for half in (0, 1)] for lane in _LANES]
    first = [[code.load(place, align=4) for place in pair] for pair in places]
    code.branch(loop)

    code.position_at_end(loop)
    done = code.phi(_I64)
    begun = [[code.phi(_WORDS) for _ in pair] for pair in first]
    offset = code.mul(done, ir.Constant(_I64, CHUNK))
    chunk = [code.gep(message, [offset]) for message in messages]
    ended = [
        [code.add(old, new) for old, new in zip(*both, strict=True)]
        for both in zip(begun, _rounds(code, chunk, begun), strict=True)
    ]
    now = code.add(done, ir.Constant(_I64, 1))
    code.cbranch(code.icmp_unsigned("<", now, chunks), loop, after)
    done.add_incoming(ir.Constant(_I64, 0), before)
    done.add_incoming(now, loop)
    for lane in _LANES:
        for half in (0, 1):
            begun[lane][half].add_incoming(first[lane][half], before)
            begun[lane][half].add_incoming(ended[lane][half], loop)

    code.position_at_end(after)
    for lane in _LANES:
        for half in (0, 1):
            code.store(ended[lane][half], places[lane][half], align=4)
    code.ret_void()
    return module


def _rounds(code: ir.IRBuilder, chunk: list[Any], begun: list[list[Any]]) -> list[list[Any]]:
    """All 64 rounds, four at a time, each step for both messages before the next one."""
    words: list[list[Any]] = [[] for _ in _LANES]
    states = [tuple(state) for state in begun]
    for first in range(0, len(_ROUNDS), 4):
        constants = ir.Constant(_WORDS, _ROUNDS[first : first + 4])
        for lane in _LANES:
            words[lane].append(_next_words(code, chunk[lane], words[lane]))
        lower = [code.add(words[lane][-1], constants) for lane in _LANES]
        upper = [_shuffle(code, added, added, (2, 3, 2, 3)) for added in lower]
        for added in (lower, upper):
            states = [
                (_do(code, "x86.sha256rnds2", cdgh, abef, added[lane]), abef)
                for lane, (abef, cdgh) in enumerate(states)
            ]
    return [list(state) for state in states]


def _next_words(code: ir.IRBuilder, chunk: Any, words: list[Any]) -> Any:
    """Four words of the message schedule: the chunk's own at first, then made of earlier ones."""
    offset = 16 * len(words)
    if offset < CHUNK:
        return _do(code, "bswap.v4i32", code.load(_place(code, chunk, offset), align=1))
    early = _do(code, "x86.sha256msg1", words[-4], words[-3])
    early = code.add(early, _shuffle(code, words[-2], words[-1], (1, 2, 3, 4)))
    return _do(code, "x86.sha256msg2", early, words[-1])


def _place(code: ir.IRBuilder, base: Any, offset: int) -> Any:
    """Where four words lie."""
    return code.bitcast(code.gep(base, [ir.Constant(_I64, offset)]), ir.PointerType(_WORDS))


def _shuffle(code: ir.IRBuilder, left: Any, right: Any, order: tuple[int, ...]) -> Any:
    return code.shuffle_vector(left, right, ir.Constant(_WORDS, order))


def _do(code: ir.IRBuilder, instruction: str, *words: Any) -> Any:
    name = f"llvm.{instruction}"
    kind = ir.FunctionType(_WORDS, [_WORDS] * len(words))
    return code.call(code.module.globals.get(name) or ir.Function(code.module, kind, name), words)
