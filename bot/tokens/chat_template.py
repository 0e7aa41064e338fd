"""Which chat template the output carries, and where it stands among its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from bot.architecture.model_config import read_json_object, write_json
from bot.checkpoint.source import Source
from bot.checkpoint.untrusted_json import parse_object

TEMPLATE_FILE = "chat_template.jinja"
BUILT_IN = ("alpaca", "chatml", "exaone", "llama3", "mistral")
_SIZE_CAP = 1 << 20


def model_template(source: Source, label: str) -> str | None:
    """The model's own default chat template, from whichever file carries it.

    Raises:
        CheckpointError: a file that should be JSON is not.
    """
    data = source.file(TEMPLATE_FILE)
    if data is not None:
        return data[:_SIZE_CAP].decode("utf-8", errors="replace")
    for path in ("chat_template.json", "tokenizer_config.json"):
        config = read_json_object(source, path, label, cap=64 << 20) or {}
        template = default_template(config.get("chat_template"))
        if template:
            return template
    return None


def default_template(value: Any) -> str | None:
    """A template may be a text, or a list of named ones of which ``default`` counts."""
    if isinstance(value, list):
        rows = [row for row in value if isinstance(row, dict) and row.get("name") == "default"]
        value = rows[0].get("template") if rows else None
    return value if isinstance(value, str) else None


def chosen_template(choice: str, templates: Sequence[str | None]) -> str | None:
    """The text for a recipe's ``chat_template``.

    Args:
        choice: ``auto`` (what most models have, the first of equals), a built-in name, or Jinja.
        templates: the models' own, in recipe order.
    """
    if choice == "auto":
        votes = Counter(template.strip() for template in templates if template)
        return votes.most_common(1)[0][0] if votes else None
    if choice in BUILT_IN:
        folder = resources.files("bot.tokens.templates")
        return folder.joinpath(f"{choice}.jinja").read_text("utf-8")
    return choice


def with_template(files: Mapping[str, bytes], template: str) -> dict[str, bytes]:
    """Tokenizer files with this as their only template, where transformers looks first."""
    kept = {path: data for path, data in files.items() if path != "chat_template.json"}
    data = kept.get("tokenizer_config.json", b"{}")
    config = parse_object(data, "tokenizer_config.json", "save the tokenizer once more")
    if "chat_template" in config:
        rest = {key: value for key, value in config.items() if key != "chat_template"}
        kept["tokenizer_config.json"] = write_json(rest)
    return {**kept, TEMPLATE_FILE: template.encode()}
