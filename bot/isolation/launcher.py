"""Restricts the calling process, then becomes the given command.

``python -I -S launcher.py SPEC COMMAND...``; SPEC is the JSON text that
`bot.isolation.isolated_process.IsolatedProcess` writes. The file is run by path and uses only the
standard library, so that it starts in a few milliseconds and imports nothing that could be
replaced.

Every measure that the system offers is taken, and what took hold is reported: a network namespace
and a system-call filter (no socket but local ones), Landlock (only the listed paths can be
opened), resource limits, no capabilities, and for root another user. A measure that the system
refuses is left out and reported as missing; `bot.isolation.protection` says so in text.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

NOBODY = 65534

# Where programs and libraries live, and what of /etc and /dev they read. Nothing else of the
# machine is readable for an isolated process, besides the paths of its own request.
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store",
    "/gnu/store", "/proc", "/sys", "/etc/ld.so.*", "/etc/passwd", "/etc/group",
    "/etc/nsswitch.conf", "/etc/localtime", "/etc/timezone", "/etc/alternatives",
    "/etc/mime.types", "/etc/nvidia*", "/etc/OpenCL", "/etc/os-release",
)  # fmt: skip
NETWORK_FILES = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates*", "/etc/hosts", "/etc/resolv.conf",
                 "/run/systemd/resolve", "/etc/host.conf", "/etc/gai.conf")  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/shm",  # noqa: S108 (not used as a temporary folder here)

           "/dev/nvidia*", "/dev/nvidia-caps", "/dev/dri", "/dev/kfd", "/dev/dxg")  # fmt: skip

_NEW_MOUNTS, _NEW_IPC, _NEW_USER, _NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x40000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 1 << 18
_NO_NEW_PRIVILEGES, _DROP_BOUNDING, _SECCOMP = 38, 24, 22
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE = 1 << 14
_EACCES, _ENOSYS = 13, 38
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_LOCAL_FAMILY = 1  # AF_UNIX
_IO_URING_SETUP = 425  # it opens sockets without the call that is filtered

_CALLS: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, 41, (101, 109, 112, 246, 250, 272, 308, 310, 311, 321)),
    "aarch64": (0xC00000B7, 198, (117, 154, 157, 104, 219, 97, 268, 270, 271, 280)),
}
"""By machine: its audit number, ``socket``, and the calls that are always refused: ptrace, setpgid,
setsid (the process stays in the group that is stopped at the end), kexec_load, keyctl, unshare,
setns, process_vm_readv, process_vm_writev, bpf."""

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: Sequence[str]) -> None:
    """Restrict this process as the first argument says, then run the rest as a command."""
    spec = json.loads(arguments[0])
    os.umask(0o022)
    report = int(spec["report_fd"])
    os.set_inheritable(report, False)
    status = restrict(spec)
    os.write(report, json.dumps(status).encode())
    os.chdir(spec["home"])
    os.execvp(arguments[1], list(arguments[1:]))  # noqa: S606 (no shell is wanted)


def restrict(spec: dict[str, Any]) -> dict[str, str]:
    """Take every measure the system offers. Returns what took hold, by kind."""
    status = {"network": "open", "files": "open", "user": "unchanged", "limits": "none"}
    readable, writable = list(spec["readable"]), [spec["home"], *spec["writable"]]
    linux = sys.platform == "linux"
    private_mounts = False
    if linux:
        private_mounts = _enter_namespaces(status, network=spec["network"])
    if os.geteuid() == 0:
        paths = [*readable, *spec["listable"], *writable]
        status["user"] = _leave_root(readable, writable, paths, private_mounts=private_mounts)
    _apply_limits(spec["limits"], status)
    if linux:
        _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        _drop_capabilities()
        if _restrict_files(readable, spec["listable"], writable, network=spec["network"]):
            status["files"] = "landlock"
        if _filter_calls(network=spec["network"]) and status["network"] == "open":
            status["network"] = "filter"
    if spec["network"]:
        status["network"] = "allowed"
    _limit_memory(spec["limits"], status)
    return status


def _call(name: str, *arguments: Any) -> bool:
    """Whether a function of the C library returned 0."""
    return bool(getattr(_libc, name)(*arguments) == 0)


def _enter_namespaces(status: dict[str, str], *, network: bool) -> bool:
    """Leave the machine's network; returns whether this process may arrange its own mounts."""
    if os.geteuid() == 0:
        private = _call("unshare", _NEW_MOUNTS | _NEW_IPC) and _call(
            "mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None
        )
        if not network and _call("unshare", _NEW_NETWORK):
            status["network"] = "namespace"
        return private
    user, group = os.geteuid(), os.getegid()
    wanted = _NEW_USER | _NEW_IPC | (0 if network else _NEW_NETWORK)
    if not _call("unshare", wanted):
        return False
    if not network:
        status["network"] = "namespace"
    with suppress(OSError):
        _write("/proc/self/setgroups", "deny")
    with suppress(OSError):
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    return False


def _write(path: str, text: str) -> None:
    Path(path).write_text(text)


def _leave_root(
    readable: Sequence[str], writable: Sequence[str], paths: Sequence[str], *, private_mounts: bool
) -> str:
    """Become nobody where nobody can read what this process was given; returns who it is now."""
    if private_mounts:
        _open_the_way(paths)
    if not _as_nobody(lambda: all(_can_read(path) for path in readable)):
        return "root"
    try:
        for folder in writable:
            _give(folder)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return "root"
    return "nobody"


def _as_nobody(check: Callable[[], bool]) -> bool:
    groups = os.getgroups()
    try:
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    except OSError:
        return False
    try:
        return check()
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def _can_read(path: str) -> bool:
    """Whether the effective user can read a file, or list a folder and read its files."""
    if not Path(path).is_dir():
        return os.access(path, os.R_OK, effective_ids=True)
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=True):
        return False
    with os.scandir(path) as entries:
        return all(
            os.access(entry.path, os.R_OK, effective_ids=True)
            for entry in entries
            if entry.is_file()
        )


def _give(path: str) -> None:
    os.chown(path, NOBODY, NOBODY)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(f"{folder}/{name}", NOBODY, NOBODY, follow_symlinks=False)


def _open_the_way(paths: Sequence[str]) -> None:
    """Replace folders that only root may enter by empty ones that hold nothing but ``paths``."""
    closed = {barrier for path in paths if (barrier := _barrier(path)) is not None}
    outermost = {one for one in closed if not any(_inside(one, other) for other in closed - {one})}
    for barrier in sorted(outermost):
        inner = sorted({path for path in paths if _inside(path, barrier)})
        inner = [path for path in inner if not any(_inside(path, o) for o in inner if o != path)]
        opened = [(path, os.open(path, os.O_PATH)) for path in inner]
        if not _call("mount", b"tmpfs", barrier.encode(), b"tmpfs", 0, b"size=1m,mode=0755"):
            continue
        for path, descriptor in opened:
            _bind(f"/proc/self/fd/{descriptor}", path)
            os.close(descriptor)


def _bind(source: str, path: str) -> None:
    if Path(source).is_dir():
        Path(path).mkdir(parents=True, exist_ok=True)
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    _call("mount", os.fsencode(source), os.fsencode(path), None, _BIND | _RECURSIVE, None)


def _barrier(path: str) -> str | None:
    """The outermost folder above a path that others may not enter."""
    for folder in reversed(Path(path).parents):
        with suppress(OSError):
            if not folder.stat().st_mode & 0o001:
                return str(folder)
    return None


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _drop_capabilities() -> None:
    for capability in range(64):
        _libc.prctl(_DROP_BOUNDING, capability, 0, 0, 0)
    header = struct.pack("=Ii", 0x20080522, 0)
    _libc.capset(header, bytes(24))


def _restrict_files(
    readable: Iterable[str], listable: Iterable[str], writable: Iterable[str], *, network: bool
) -> bool:
    """Let this process open only what it was given (Landlock, Linux 5.13 and later)."""
    version = _libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return False
    last = 12 if version == 1 else 13 if version == 2 else 14
    every = (1 << (last + 1)) - 1
    no_tcp = 0b11 if version >= 4 and not network else 0
    scoped = 0b11 if version >= 6 else 0  # abstract local sockets, signals to others
    sizes = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}
    attributes = struct.pack("=QQQ", every, no_tcp, scoped)[: sizes.get(version, 24)]
    ruleset = _libc.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    for patterns, access in (
        (SYSTEM, _EXECUTE | _READ_FILE | _READ_DIR),
        (NETWORK_FILES if network else (), _READ_FILE | _READ_DIR),
        (DEVICES, every & ~_EXECUTE),
    ):
        for pattern in patterns:
            for found in Path("/").glob(pattern[1:]):
                _allow(ruleset, str(found), access)
    for path in readable:
        _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
    for path in listable:
        _allow(ruleset, path, _READ_DIR)
    for path in writable:
        _allow(ruleset, path, every)
    held = _libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return bool(held)


def _allow(ruleset: int, path: str, access: int) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not Path(path).is_dir():
            access &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
            version = _libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
            access &= ~_TRUNCATE if version < 3 else -1
        rule = struct.pack("=Qi", access, descriptor)
        _libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0)
        os.close(descriptor)


def _filter_calls(*, network: bool) -> bool:
    """Refuse system calls that nothing here needs and an intruder would use (seccomp filter)."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    audit, socket, refused = known
    refuse = _instruction(_RETURN, 0x00050000 | _EACCES)
    program = [
        _instruction(_LOAD, 4), _instruction(_EQUAL, audit, 1, 0), refuse,
        _instruction(_LOAD, 0), _instruction(_AT_LEAST, 0x40000000, 0, 1), refuse,
    ]  # fmt: skip
    for number in refused:
        program += [_instruction(_EQUAL, number, 0, 1), refuse]
    if not network:
        program += [
            _instruction(_EQUAL, _IO_URING_SETUP, 0, 1),
            _instruction(_RETURN, 0x00050000 | _ENOSYS),
            _instruction(_EQUAL, socket, 0, 3), _instruction(_LOAD, 16),
            _instruction(_EQUAL, _LOCAL_FAMILY, 1, 0), refuse,
        ]  # fmt: skip
    program.append(_instruction(_RETURN, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    return bool(_libc.prctl(_SECCOMP, 2, header, 0, 0) == 0)


def _instruction(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    """One instruction of a classic BPF program (struct sock_filter)."""
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _apply_limits(limits: dict[str, int | None], status: dict[str, str]) -> None:
    """Limit files, threads and processor time; the system enforces it as far as it can."""
    try:
        import resource
    except ImportError:
        return
    status["limits"] = "set"
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": limits["file_bytes"],
        "RLIMIT_NOFILE": limits["open_files"],
        "RLIMIT_CPU": limits["cpu_seconds"],
    }
    if (processes := limits["processes"]) is not None:
        wanted["RLIMIT_NPROC"] = processes + _threads_of(os.getuid())
    for name, value in wanted.items():
        if value is not None and hasattr(resource, name):
            _lower(getattr(resource, name), value)


def _limit_memory(limits: dict[str, int | None], status: dict[str, str]) -> None:
    """Limit the address space; the last step, because it holds for this process as well."""
    if limits["memory_bytes"] is not None and status["limits"] == "set":
        import resource

        _lower(resource.RLIMIT_AS, limits["memory_bytes"])


def _lower(kind: int, value: int) -> None:
    import resource

    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    # The soft limit on processor time ends the process with a signal that says so.
    top = value + 1 if kind == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else value
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, top))


def _threads_of(user: int) -> int:
    """How many threads a user runs already: the system counts them all against its limit."""
    count = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError, ValueError):
            lines = status.read_text().splitlines()
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            if int(fields["Uid"].split()[0]) == user:
                count += int(fields["Threads"])
    return count


if __name__ == "__main__":
    main(sys.argv[1:])
