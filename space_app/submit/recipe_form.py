"""Writing a recipe's YAML from a form: the same text a person would type."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?")
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
EXAMPLE = """\
name: my-first-merge
merge_method: task_arithmetic
base_model: Qwen/Qwen2.5-0.5B
models:
  - model: Qwen/Qwen2.5-0.5B-Instruct
    parameters:
      weight: 0.7
  - model: Qwen/Qwen2.5-Coder-0.5B-Instruct
    parameters:
      weight: 0.4
dtype: bfloat16
"""


def recipe_yaml(*, name: str, method: str, base: str, models: str, dtype: str) -> str:
    """The recipe of a form; ``models`` is a model and its weight a line."""
    lines = [f"name: {_scalar(name)}"] if name.strip() else []
    lines.append(f"merge_method: {_scalar(method)}")
    if base.strip():
        lines.append(f"base_model: {_scalar(base)}")
    lines.append("models:")
    for entry in models.splitlines():
        if not entry.strip():
            continue
        model, _, weight = entry.strip().partition(" ")
        lines.append(f"  - model: {_scalar(model)}")
        if weight.strip():
            lines += ["    parameters:", f"      weight: {_number(weight)}"]
    lines.append(f"dtype: {_scalar(dtype)}")
    return "\n".join(lines) + "\n"


def _scalar(text: str) -> str:
    text = text.strip()
    plain = PLAIN.fullmatch(text) and text.lower() not in WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _number(text: str) -> str:
    try:
        # Without an exponent: YAML reads 1e-05 as a word.
        return format(Decimal(repr(float(text))), "f")
    except (ValueError, InvalidOperation):
        return _scalar(text)
