"""Removes secrets from text: one function for all that is printed, logged or recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any

MASK = "[redacted]"

SECRET_VARIABLES = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_ID_TOKEN", "GITHUB_TOKEN", "GH_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN", "WANDB_API_KEY", "OPENAI_API_KEY",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
)  # fmt: skip
"""Variables whose values are always secret."""

SHORTEST = 6
"""The shortest value that is masked: shorter ones occur in ordinary text."""

_SHAPES = (
    re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}"),
    re.compile(r"\bhf_(?:jwt|oauth)_[\w.=-]{20,}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
    re.compile(r"\bgithub_pat_\w{20,}"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    re.compile(r"(?<=Bearer )[^\s'\",;]{6,}", re.IGNORECASE),
    re.compile(r"(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"),
    re.compile(r"(?<=[?&])((?:X-Amz-)?(?:Signature|Security-Token|Credential|Policy))=[^\s&'\"]+"),
)


def redact(
    text: str, *, environ: Mapping[str, str] = os.environ, secrets: Iterable[str] = ()
) -> str:
    """The text without access tokens, bearer headers, credentials in URLs and signed queries.

    Args:
        text: anything that may leave the process.
        environ: where the values of ``SECRET_VARIABLES`` are looked up.
        secrets: further strings that must not appear.
    """
    known = {environ.get(name, "").strip() for name in SECRET_VARIABLES} | set(secrets)
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, MASK)
    for shape in _SHAPES:
        text = shape.sub(rf"\1={MASK}" if shape.groups else MASK, text)
    return text


class Redacted:
    """A text stream that removes secrets from everything written to it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text without its secrets."""
        self._stream.write(redact(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
