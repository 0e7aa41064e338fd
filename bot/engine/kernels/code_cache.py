"""Where kernels' machine code is kept between processes, and how it gets into this one."""

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

from bot.engine.kernels.kernel import Kernel, Kinds

_DIGEST_BYTES = 32
_NAME_DIGITS = 32
_engines: list[llvm.ExecutionEngine] = []  # code lives as long as its engine


def address_of(kernel: Kernel[..., Any], kinds: Kinds) -> int:
    """Where this process holds a kernel's code; compiled where it was not kept."""
    name = name_of(kernel, kinds)
    folder = _folder()
    code = kept(folder, name)
    if code is None:
        from bot.engine.kernels.compiler import compile_kernel

        code = compile_kernel(kernel, kinds, name)
        keep(folder, name, code)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(name))


def target_machine() -> llvm.TargetMachine:
    """This processor, or the one that numba's variables name."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = processor()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=3, codemodel="jitdefault", jit=True
    )


@cache
def processor() -> tuple[str, str]:
    """Name and features, as LLVM writes them.

    Where there are vectors of 512 bits they are used, which LLVM would rather not: kernels take a
    tenth less time with them (measured on two cores with AVX-512).
    """
    cpu = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
        features += ",-prefer-256-bit" if "+avx512f" in features.split(",") else ""
    return cpu, features


def name_of(kernel: Kernel[..., Any], kinds: Kinds) -> str:
    """Names all that decides the code: compiler, processor, kinds, and what the function says."""
    said = hashlib.sha256(repr((*_compiler(), *processor(), kinds)).encode())
    for part in _meaning(kernel, set()):
        said.update(part)
    return f"{kernel.function.__name__}-{said.hexdigest()[:_NAME_DIGITS]}"


@cache
def _compiler() -> tuple[str, ...]:
    """The releases that compile, and the two files that say how they are asked to."""
    files = (Path(__file__), Path(__file__).with_name("compiler.py"))
    return release("numba"), release("llvmlite"), *(file.read_text("utf-8") for file in files)


@cache
def release(package: str) -> str:
    """What tells one release from another: a file of the package's own where it has one.

    Asking ``importlib.metadata`` takes a tenth of a merge's start-up.
    """
    spec = find_spec(package)
    if spec is not None and spec.origin is not None:
        with suppress(OSError):
            return Path(spec.origin).with_name("_version.py").read_text("utf-8")
    from importlib.metadata import version

    return version(package)


def _meaning(value: Any, seen: set[int]) -> Iterator[bytes]:
    """The instructions of a kernel and of all it calls, and every constant they use."""
    if isinstance(value, Kernel):
        if id(value) not in seen:
            seen.add(id(value))
            code = value.function.__code__
            yield repr(value.multiply_add).encode()
            yield from _meaning(code, seen)
            for name in code.co_names:
                yield from _meaning(value.function.__globals__.get(name), seen)
    elif isinstance(value, CodeType):
        yield value.co_code
        yield repr((value.co_names, value.co_varnames)).encode()
        for constant in value.co_consts:
            yield from _meaning(constant, seen)
    elif not isinstance(value, ModuleType):
        yield repr(value).encode()


@cache
def _folder() -> Path | None:
    """Beside these files, or in the user's cache; None where neither can be written."""
    for place in (_beside, _of_the_user):
        with suppress(OSError, RuntimeError):  # a user may have no home
            folder = place()
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return None


def _beside() -> Path:
    return Path(__file__).parent / "__pycache__"


def _of_the_user() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "mergebot" / "kernels"


def kept(folder: Path | None, name: str) -> bytes | None:
    """The code of that name; None where there is none, or not all of it."""
    try:
        stored = (folder / f"{name}.o").read_bytes() if folder else b""
    except OSError:
        return None
    digest, code = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def keep(folder: Path | None, name: str, code: bytes) -> None:
    """Keep code, all of it or none; a full disk costs the next process a compilation."""
    if folder is None:
        return
    partial = folder / f"{name}.{os.getpid()}.tmp"
    try:
        partial.write_bytes(hashlib.sha256(code).digest() + code)
        partial.replace(folder / f"{name}.o")
    except OSError:
        with suppress(OSError):
            partial.unlink()
