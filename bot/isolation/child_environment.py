"""The environment variables of a child process: a short list of names, and never a token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_KEPT = (
    "PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "NLTK_DATA",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
)  # fmt: skip
_KEPT_ONLINE = ("HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PACKAGE_ROOT = Path(__file__).parents[2]


def child_environment(
    outer: Mapping[str, str], *, home: Path, offline: bool = True
) -> dict[str, str]:
    """The environment of a child: a short list of variables, and never a token.

    Args:
        outer: the environment to choose from.
        home: an empty folder that becomes the child's home and place for temporary files.
        offline: whether Hugging Face libraries must not use the network.
    """
    kept = _KEPT if offline else (*_KEPT, *_KEPT_ONLINE)
    flag = "1" if offline else "0"
    return {name: outer[name] for name in kept if name in outer} | {
        "HOME": str(home),
        "TMPDIR": str(home),
        "HF_HOME": str(home / "huggingface"),
        "HF_HUB_OFFLINE": flag,
        "HF_DATASETS_OFFLINE": flag,
        "TRANSFORMERS_OFFLINE": flag,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(PACKAGE_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
