"""Run a command as a whole process: wall time with the disk synced, and its peak memory."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds from start to synced disk; bytes of peak anonymous and peak resident memory."""

    seconds: float
    anonymous: int
    resident: int


@dataclass(frozen=True, kw_only=True)
class Best(Measured):
    """The fastest run of a tool, which of its options that was, and how many runs it had."""

    option: str
    runs: int


Tools = Mapping[str, Mapping[str, Sequence[str]]]


def take_turns(tools: Tools, out: Path, repeats: int, patience: float) -> dict[str, Best]:
    """Run every option of every tool in turns, each run into a fresh folder.

    A tool gets no further turn once its runs took more than ``patience`` seconds together.
    """
    done: dict[str, list[tuple[str, Measured]]] = {tool: [] for tool in tools}
    for _ in range(repeats):
        for tool, options in tools.items():
            for option, command in options.items():
                if sum(found.seconds for _, found in done[tool]) <= patience:
                    done[tool].append((option, run(command, out)))
    return {tool: _best(runs) for tool, runs in done.items()}


def _best(runs: Sequence[tuple[str, Measured]]) -> Best:
    option, fastest = min(runs, key=lambda found: found[1].seconds)
    return Best(**asdict(fastest), option=option, runs=len(runs))


def under_limit(command: Sequence[str], limit: int) -> list[str]:
    """The command, held to so many bytes of data by the kernel (``RLIMIT_DATA``)."""
    return ["sh", "-c", f'ulimit -d {limit // 1024} && exec "$@"', "sh", *command]


def run(command: Sequence[str], out: Path) -> Measured:
    """Run once beside ``out``, which is removed before and left behind after.

    Raises:
        RuntimeError: the command failed; carries the end of what it said.
    """
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(out.with_name(out.name + ".partial"), ignore_errors=True)
    log = out.with_name(out.name + ".log")
    os.sync()
    start = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=out.parent, stdout=stream, stderr=stream, env=_as_installed()
        )
        try:
            anonymous, resident = _watch(process)
        finally:
            process.kill()
    os.sync()
    seconds = time.monotonic() - start
    if process.returncode != 0:
        said = log.read_text("utf-8", "replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    return Measured(seconds=seconds, anonymous=anonymous, resident=resident)


def _as_installed() -> dict[str, str]:
    """This environment, in which a checkout's modules are compiled once, as a package's are."""
    return {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Wait for a process; its peaks of anonymous and resident bytes."""
    anonymous = resident = 0
    while process.poll() is None:
        now = _memory(process.pid)
        anonymous, resident = max(anonymous, now[0]), max(resident, now[1])
        time.sleep(POLL_SECONDS)
    return anonymous, resident


def _memory(pid: int) -> tuple[int, int]:
    """Anonymous and resident bytes of a process and its children, by the kernel's account."""
    total = [0, 0]
    for process in [pid, *_children(pid)]:
        try:
            lines = Path(f"/proc/{process}/status").read_text("ascii", "replace").splitlines()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        total[0] += _kilobytes(fields.get("RssAnon", "0"))
        total[1] += _kilobytes(fields.get("VmRSS", "0"))
    return total[0], total[1]


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:
        return []
    found = [int(word) for word in text.split()]
    return [*found, *(grandchild for child in found for grandchild in _children(child))]


def _kilobytes(field: str) -> int:
    return int(field.split(maxsplit=1)[0]) * 1024


def io_floor(inputs: Sequence[Path], out: Path, out_bytes: int) -> float:
    """Seconds to read the inputs and write as many bytes as the output has, with plain calls."""
    buffer = bytearray(8 << 20)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    os.sync()
    start = time.monotonic()
    for folder in inputs:
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb", buffering=0) as stream:
                while stream.readinto(buffer):
                    pass
    _write_direct(out / "floor.bin", out_bytes)
    os.sync()
    return time.monotonic() - start


def _write_direct(path: Path, size: int) -> None:
    """Write zeros past the page cache where the system allows it, through it elsewhere."""
    block = mmap.mmap(-1, 8 << 20)
    flags = os.O_WRONLY | os.O_CREAT
    try:
        descriptor = os.open(path, flags | getattr(os, "O_DIRECT", 0))
    except OSError:
        descriptor = os.open(path, flags)
    try:
        os.posix_fallocate(descriptor, 0, size)
        for _ in range(size // len(block)):
            os.write(descriptor, block)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
