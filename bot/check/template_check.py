"""The chat template of a model folder: where it is, whether it renders, whether a parent has it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from bot.check.config_files import config_or_nothing
from bot.isolation import Limits, run_isolated
from bot.tokens.chat_template import default_template
from leaderboard.record_provenance import Check

SECONDS = 60.0
LONGEST_TEMPLATE = 1 << 20
LIMITS = Limits(memory_bytes=8 << 30, cpu_seconds=60, file_bytes=1 << 20)
"""Of the process with its imports; it limits itself further before it renders."""


def template_of(folder: Path) -> str | None:
    """The default chat template of a model folder, None when it has none.

    ``chat_template.jinja`` wins over the ``chat_template`` of ``tokenizer_config.json``, as in
    transformers.
    """
    file = folder / "chat_template.jinja"
    if file.is_file():
        with file.open("rb") as stream:
            return stream.read(LONGEST_TEMPLATE).decode("utf-8", errors="replace")
    return default_template(config_or_nothing(folder, "tokenizer_config.json").get("chat_template"))


def check_rendering(folder: Path) -> Check:
    """Render the template in an isolated process; no template is fine."""
    template = template_of(folder)
    if template is None:
        return Check(name="template", hard=True, passed=True, detail="no chat template")
    request = {"template": template, "tokens": _special_tokens(folder)}
    ended = run_isolated("bot.check.template_child", request, seconds=SECONDS, limits=LIMITS)
    problem = ended.reason or json.loads(ended.output)
    return Check(
        name="template", hard=True, passed=problem is None,
        detail=f"the chat template {problem}" if problem else "",
    )  # fmt: skip


def check_known(folder: Path, parents: Sequence[Path]) -> Check:
    """A warning when the template is no parent's: a template can add text to a prompt."""
    template = template_of(folder)
    known = {digest(text) for parent in parents if (text := template_of(parent)) is not None}
    passed = template is None or digest(template) in known
    detail = "" if passed else f"template {digest(template or '')[:12]} is none of the parents'"
    return Check(name="known template", hard=False, passed=passed, detail=detail)


def digest(template: str) -> str:
    """sha256 of a template's text, without the white space around it."""
    return hashlib.sha256(template.strip().encode()).hexdigest()


def _special_tokens(folder: Path) -> dict[str, str]:
    content = config_or_nothing(folder, "tokenizer_config.json")
    tokens = {}
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        value = content.get(name)
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str):
            tokens[name] = text
    return tokens
