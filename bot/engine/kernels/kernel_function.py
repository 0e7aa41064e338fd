"""A kernel as the compiler and the code cache see it: a function and the kinds of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple, cast


class ArgumentKind(NamedTuple):
    """What the compiler must know of an argument: its dtype, and its axes or None for a number."""

    dtype: str
    axes: int | None


ArgumentKinds = tuple[ArgumentKind, ...]


class KernelFunction:
    """A function that can be compiled, and may call others of its kind.

    Args:
        function: the Python function.
        multiply_add: whether a product and a sum may become one instruction, rounded once.
    """

    def __init__(self, function: Callable[..., Any], *, multiply_add: bool = False) -> None:
        self.function = cast("FunctionType", function)
        self.multiply_add = multiply_add
