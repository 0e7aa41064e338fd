"""Child processes that meet a stranger's files: no token, a home of their own, hard limits."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_KEPT = (
    "PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "NLTK_DATA",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
)  # fmt: skip
_KEPT_ONLINE = ("HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_GRACE_SECONDS = 5.0


def child_environment(
    outer: Mapping[str, str], *, home: Path, offline: bool = True
) -> dict[str, str]:
    """The whole environment of a child: a short list of names is kept, tokens never are.

    Args:
        outer: the environment to choose from.
        home: an empty folder that becomes the child's home.
        offline: whether Hugging Face libraries must not use the network.
    """
    kept = _KEPT if offline else (*_KEPT, *_KEPT_ONLINE)
    flag = "1" if offline else "0"
    return {name: outer[name] for name in kept if name in outer} | {
        "HOME": str(home),
        "HF_HOME": str(home / "huggingface"),
        "HF_HUB_OFFLINE": flag,
        "HF_DATASETS_OFFLINE": flag,
        "TRANSFORMERS_OFFLINE": flag,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def stopped_at_the_end(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens inside, the child and all it started are gone afterwards.

    The child must lead a session of its own (``start_new_session=True``).
    """
    try:
        yield
    finally:
        for name in (signal.SIGTERM, signal.SIGKILL):
            if child.poll() is not None:
                break
            os.killpg(child.pid, name)
            deadline = time.monotonic() + _GRACE_SECONDS
            while child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)


def limit_this_process(*, memory_bytes: int | None, cpu_seconds: int) -> None:
    """Limit what the calling process may use; the system enforces it as far as it can.

    Args:
        memory_bytes: address space, None for no limit.
        cpu_seconds: processor time from now on.

    Linux enforces both; macOS ignores the limit on memory, and a system without ``resource`` has
    neither, which leaves the parent's time limit.
    """
    try:
        import resource
    except ImportError:
        return
    allowed = math.ceil(time.process_time()) + cpu_seconds
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, allowed + 1))
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
