"""Kernels as machine code: kept between processes, named by what they say, refused when unfit."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.engine.kernels.code_cache import load, name_of, release, store
from bot.engine.kernels.compiler import compile_kernel
from bot.engine.kernels.kernel import Kernel, compiled, multiplying
from bot.engine.kernels.kernel_function import ArgumentKind

KINDS = (ArgumentKind("<f4", 1), ArgumentKind("<f4", None))
STEP = np.float32(2)


@compiled
def scaled(values: Any, factor: Any) -> None:
    for j in range(values.size):
        values[j] *= factor


@compiled
def twice_scaled(values: Any, factor: Any) -> int:
    scaled(values, factor * STEP)
    found: int = values.size
    return found


def test_a_kernel_works_on_the_arrays_it_is_given() -> None:
    values = np.arange(5, dtype=np.float32)
    assert twice_scaled(values, np.float32(3)) == 5
    np.testing.assert_array_equal(values, np.arange(5) * 6)


def test_numbers_keep_their_width() -> None:
    @compiled
    def next_word(word: Any) -> Any:
        return np.uint32(word + np.uint32(1))

    assert next_word(np.uint32(0xFFFFFFFF)) == 0
    assert next_word(np.uint64(0xFFFFFFFF)) == 0


def test_an_array_with_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="in one piece"):
        scaled(np.zeros(10, np.float32)[::2], STEP)


def test_a_kernel_that_allocates_or_raises_is_refused() -> None:
    @compiled
    def allocates(values: Any) -> None:
        values[:] = np.zeros(values.size)

    @compiled
    def raises(values: Any) -> None:
        for j in range(0, values.size, values.size):
            values[j] = 0

    for unfit in (allocates, raises):
        with pytest.raises(TypeError, match=f"the kernel {unfit.function.__name__} needs"):
            compile_kernel(unfit, KINDS[:1], "unfit")


def renamed(kernel: Kernel[..., Any], **globals_: Any) -> Kernel[..., Any]:
    """The same function where other things go by the names it uses."""
    function = kernel.function
    return Kernel(type(function)(function.__code__, {**function.__globals__, **globals_}))


def test_the_name_tells_whatever_decides_the_code() -> None:
    usual = name_of(twice_scaled, KINDS)
    assert name_of(renamed(twice_scaled), KINDS) == usual
    others = {
        name_of(renamed(twice_scaled, STEP=np.float32(3)), KINDS),
        name_of(renamed(twice_scaled, scaled=renamed(twice_scaled)), KINDS),
        name_of(twice_scaled, (ArgumentKind("<f4", 1), ArgumentKind("<f8", None))),
        name_of(scaled, KINDS),
        name_of(multiplying(twice_scaled.function), KINDS),
    }
    assert len(others - {usual}) == 5


def test_a_release_is_told_with_and_without_a_file_of_its_own() -> None:
    assert f'"{version("numba")}"' in release("numba")
    assert release("click") == version("click")


def test_what_is_kept_is_whole_or_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "k") is None
    store(tmp_path, "k", b"machine code")
    assert load(tmp_path, "k") == b"machine code"
    file = tmp_path / "k.o"
    whole = file.read_bytes()
    for broken in (b"", whole[:-1], whole[:7], whole + b"x", b"\0" + whole[1:]):
        file.write_bytes(broken)
        assert load(tmp_path, "k") is None
    assert list(tmp_path.iterdir()) == [file]


def test_nowhere_to_keep_it_is_no_failure(tmp_path: Path) -> None:
    store(None, "k", b"code")
    assert load(None, "k") is None
    store(tmp_path / "missing", "k", b"code")
    assert load(tmp_path / "missing", "k") is None


SECOND_PROCESS = """
import sys
import numpy as np
from bot.engine.kernels.scratch import tiles
from bot.engine.kernels.weighted_sum import weighted_sum

stored, half, one = np.full((2, 5000), 0x3F80, np.uint16), np.float32([0.5, 0.5]), np.float32(1)
out, shift = np.empty(5000, np.uint16), np.uint32(16)
assert weighted_sum(stored, shift, half, one, out, shift, tiles(1))
assert (out == 0x3F80).all()
print("numba" in sys.modules)
"""


def test_a_second_process_needs_no_compiler() -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", SECOND_PROCESS], capture_output=True, text=True, check=True
        )
    assert done.stdout.strip() == "False"


HOMELESS = """
import pathlib

def home(cls):
    raise RuntimeError("Could not determine home directory.")

pathlib.Path.home = classmethod(home)
"""


def test_a_user_without_a_home_merges_too() -> None:
    """An account of a container may have none; what lies beside the kernels needs none."""
    subprocess.run([sys.executable, "-c", HOMELESS + SECOND_PROCESS], check=True)
