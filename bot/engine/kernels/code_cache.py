"""Stores the machine code of kernels on disk between processes and loads it into this one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import llvmlite.binding as llvm

from bot.engine.kernels.kernel_function import ArgumentKinds, KernelFunction
from bot.engine.kernels.target_cpu import processor, target_machine

_DIGEST_BYTES = 32
_NAME_DIGITS = 32
_engines: list[llvm.ExecutionEngine] = []  # code lives as long as its engine


def address_of(kernel: KernelFunction, kinds: ArgumentKinds) -> int:
    """The address of a kernel's code in this process; compiles it unless the disk has it."""
    name = name_of(kernel, kinds)
    folder = _folder()
    code = load(folder, name)
    if code is None:
        from bot.engine.kernels.compiler import compile_kernel

        code = compile_kernel(kernel, kinds, name)
        store(folder, name, code)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(name))


def name_of(kernel: KernelFunction, kinds: ArgumentKinds) -> str:
    """A name made of all that decides the code: compiler, processor, kinds and instructions."""
    digest = hashlib.sha256(repr((*_compiler(), *processor(), kinds)).encode())
    for part in _instructions(kernel, set()):
        digest.update(part)
    return f"{kernel.function.__name__}-{digest.hexdigest()[:_NAME_DIGITS]}"


@cache
def _compiler() -> tuple[str, ...]:
    """The releases of the compilers, and the text of the two files that call them."""
    files = (Path(__file__).with_name(name) for name in ("target_cpu.py", "compiler.py"))
    return release("numba"), release("llvmlite"), *(file.read_text("utf-8") for file in files)


@cache
def release(package: str) -> str:
    """The text of a package's ``_version.py``, or its version where it has no such file.

    Importing ``importlib.metadata`` would take a tenth of a merge's start-up.
    """
    spec = find_spec(package)
    if spec is not None and spec.origin is not None:
        with suppress(OSError):
            return Path(spec.origin).with_name("_version.py").read_text("utf-8")
    from importlib.metadata import version

    return version(package)


def _instructions(value: Any, seen: set[int]) -> Iterator[bytes]:
    """The instructions of a kernel and of all it calls, and every constant they use."""
    if isinstance(value, KernelFunction):
        if id(value) not in seen:
            seen.add(id(value))
            code = value.function.__code__
            yield repr(value.multiply_add).encode()
            yield from _instructions(code, seen)
            for name in code.co_names:
                yield from _instructions(value.function.__globals__.get(name), seen)
    elif isinstance(value, CodeType):
        yield value.co_code
        yield repr((value.co_names, value.co_varnames)).encode()
        for constant in value.co_consts:
            yield from _instructions(constant, seen)
    elif not isinstance(value, ModuleType):
        yield repr(value).encode()


@cache
def _folder() -> Path | None:
    """The folder of the cache: beside this file, else in the user's cache, else None."""
    for place in (_package_folder, _user_folder):
        with suppress(OSError, RuntimeError):  # a user may have no home
            folder = place()
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return None


def _package_folder() -> Path:
    return Path(__file__).parent / "__pycache__"


def _user_folder() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "mergebot" / "kernels"


def load(folder: Path | None, name: str) -> bytes | None:
    """The code of that name; None where there is none or the file is damaged."""
    try:
        stored = (folder / f"{name}.o").read_bytes() if folder else b""
    except OSError:
        return None
    digest, code = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def store(folder: Path | None, name: str, code: bytes) -> None:
    """Write code to the disk, atomically; after a failure the next process compiles again."""
    if folder is None:
        return
    partial = folder / f"{name}.{os.getpid()}.tmp"
    try:
        partial.write_bytes(hashlib.sha256(code).digest() + code)
        partial.replace(folder / f"{name}.o")
    except OSError:
        with suppress(OSError):
            partial.unlink()
