"""Compiles a kernel with numba to machine code that runs without numba or the interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np

from bot.engine.kernels.kernel_function import ArgumentKinds, KernelFunction
from bot.engine.kernels.target_cpu import processor, target_machine

numba.config.CPU_NAME, numba.config.CPU_FEATURES = processor()
_OF_THE_C_LIBRARY = {"memset", "memcpy", "memmove", "memset_pattern16"}
_SPEED = 3


def compile_kernel(kernel: KernelFunction, kinds: ArgumentKinds, name: str) -> bytes:
    """An object file with one function of that name, which takes what ``kernel`` is called with.

    Raises:
        TypeError: the function allocates or may raise, for which it would need numba's run time.
    """
    entry = _entry(kernel, kinds)
    module = llvm.parse_assembly(entry.inspect_llvm())
    function = module.get_function(entry.native_name)
    for other in module.functions:
        if not other.is_declaration and other.name != function.name:
            other.linkage = "internal"
    function.name = name
    machine = target_machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(_SPEED))
    builder.getModulePassManager().run(module, builder)
    unresolved = sorted(_unresolved(module))
    if unresolved:
        raise TypeError(f"the kernel {kernel.function.__name__} needs {', '.join(unresolved)}")
    return bytes(machine.emit_object(module))


def _unresolved(module: llvm.ModuleRef) -> Iterator[str]:
    """Functions that the code calls and that are neither in it nor in the C library."""
    for function in module.functions:
        known = function.name.startswith("llvm.") or function.name in _OF_THE_C_LIBRARY
        if function.is_declaration and not known:
            yield function.name


def _entry(kernel: KernelFunction, kinds: ArgumentKinds) -> Any:
    """The kernel behind a C function, with arrays made of addresses and lengths."""
    parameters: list[str] = []
    values: list[str] = []
    types: list[Any] = []
    for number, kind in enumerate(kinds):
        name, number_type = f"a{number}", numba.from_dtype(np.dtype(kind.dtype))
        parameters.append(name)
        if kind.axes is None:
            types.append(number_type)
            values.append(name)
            continue
        lengths = [f"{name}_{axis}" for axis in range(kind.axes)]
        parameters += lengths
        types += [numba.types.CPointer(number_type), *([numba.int64] * kind.axes)]
        values.append(f"carray({name}, ({', '.join(lengths)},))")
    call = f"kernel({', '.join(values)})"
    nothing = kernel.function.__annotations__["return"] == "None"
    body = f"{call}; return 0" if nothing else f"return int64({call})"
    source = f"def entry({', '.join(parameters)}): {body}"
    namespace = {"kernel": _jitted(kernel), "carray": numba.carray, "int64": np.int64}
    exec(source, namespace)  # noqa: S102 - made above, of nothing but numbers
    return numba.cfunc(numba.int64(*types), error_model="numpy")(namespace["entry"])


@cache
def _jitted(kernel: KernelFunction) -> Any:
    """The function as numba knows it, and the kernels it calls likewise."""
    function = kernel.function
    names = function.__code__.co_names
    called = {
        name: _jitted(value)
        for name in names
        if isinstance(value := function.__globals__.get(name), KernelFunction)
    }
    own = FunctionType(function.__code__, {**function.__globals__, **called}, function.__name__)
    fast = {"contract"} if kernel.multiply_add else False
    return numba.njit(nogil=True, fastmath=fast, error_model="numpy")(own)
