"""Child processes that load untrusted models, tokenizers and templates.

An isolated process has no token in its environment, a private home, limits on memory, processor
time, files and threads, no network, and can open only the files it was given, as far as the system
allows; `IsolatedProcess.protection` says what took hold.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bot.isolation.child_environment import PACKAGE_ROOT
from bot.isolation.protection import Protection

_LAUNCHER = Path(__file__).with_name("launcher.py")
_GRACE_SECONDS = 5.0
_MOST_LINKS = 100_000
_BASE_MEMORY = 16 << 30
_MEMORY_PER_CORE = 256 << 20  # threads reserve far more addresses than they use


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an isolated process may use; None is no limit.

    Args:
        memory_bytes: address space. CUDA maps far more than it uses: give None there.
        cpu_seconds: processor time of each process, over all of its threads.
        file_bytes: the largest file it may write.
        open_files: file descriptors.
        processes: processes and threads, on top of those the user runs already.
    """

    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    file_bytes: int | None = 8 << 30
    open_files: int | None = 4096
    processes: int | None = 4096


class IsolatedProcess:
    """A command that runs isolated until the ``with`` block ends.

    Args:
        command: program and arguments; a Python module is started with ``sys.executable -m``.
        home: an existing empty folder: its home, working folder and place for temporary files.
        environment: its whole environment, from `child_environment`.
        readable: files and folders it may read (the models); links in them are followed.
        writable: folders it may write, besides ``home``.
        limits: what it may use.
        network: whether it may use the network; then it must load no untrusted model.
        stdin, stdout, stderr: as for `subprocess.Popen`.
        pass_fds: further file descriptors that it inherits.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, command: Sequence[str], *, home: Path, environment: Mapping[str, str],
        readable: Iterable[Path] = (), writable: Iterable[Path] = (), limits: Limits = Limits(),
        network: bool = False, stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None, stderr: int | IO[Any] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:  # fmt: skip
        status, report = os.pipe()
        spec = {
            "home": str(home.resolve()),
            "readable": sorted({*_program_paths(), *_with_links(readable)}),
            "listable": [str(PACKAGE_ROOT)],
            "writable": [str(path.resolve()) for path in writable],
            "limits": asdict(limits),
            "network": network,
            "report_fd": report,
        }
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(spec)]
        with os.fdopen(status, "rb") as stream:
            try:
                self.popen: subprocess.Popen[bytes] = subprocess.Popen(
                    [*launcher, *command], stdin=stdin, stdout=stdout, stderr=stderr, cwd=home,
                    env=dict(environment), start_new_session=True, pass_fds=(report, *pass_fds),
                )  # fmt: skip
            finally:
                os.close(report)
            self.protection = Protection.from_json(stream.read())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stop()

    def stop(self) -> None:
        """End the process and all that it started; a second call does nothing."""
        for name in (signal.SIGTERM, signal.SIGKILL):
            if self.popen.poll() is not None:
                break
            self._signal(name)
            deadline = time.monotonic() + _GRACE_SECONDS
            while self.popen.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
        self._signal(signal.SIGKILL)

    def _signal(self, name: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, name)


def address_space(model_bytes: int, *, more: int = 0) -> int:
    """Bytes of address space that a process needs to load a model of this size on a CPU."""
    return _BASE_MEMORY + _MEMORY_PER_CORE * (os.cpu_count() or 1) + 4 * model_bytes + more


def _program_paths() -> set[str]:
    """Python, its packages and this project: what every child reads to run at all."""
    roots = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1]}
    packages = {Path(entry) for entry in sys.path if entry.endswith(("-packages", ".zip"))}
    own = {PACKAGE_ROOT / name for name in ("bot", "leaderboard", "space_app")}
    found = {path for path in (*roots, *packages, *own) if path.exists()}
    return {str(form) for path in found for form in (path.absolute(), path.resolve())}


def _with_links(paths: Iterable[Path]) -> set[str]:
    """Absolute paths, and the targets of the links inside them (a Hub cache is full of links)."""
    found = set()
    for path in paths:
        found.add(str(path.resolve()))
        for count, inner in enumerate(path.rglob("*") if path.is_dir() else ()):
            if inner.is_symlink() and inner.exists():
                found.add(str(inner.resolve()))
            if count > _MOST_LINKS:
                break
    return {path for path in found if Path(path).exists()}
