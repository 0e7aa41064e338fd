"""A model's tokenizer, examined before it encodes a prompt.

What is neutralised, for every model in the same way: tokens that a post-processor puts after a
text (a model that reads an end-of-text after each question answers another question), and
special tokens that only ``config.json`` names. What is refused, by name: a tokenizer without an
end-of-text token, and tokens without a row in the embedding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from bot.errors import EvaluationError

_SAMPLE = "a"


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of a model folder, with an end-of-text and a padding token.

    Raises:
        EvaluationError: neither the tokenizer nor a config names an end-of-text token.
        OSError, ValueError: it does not load.
    """
    tokenizer = AutoTokenizer.from_pretrained(
        str(path), trust_remote_code=False, local_files_only=True
    )
    for kind in ("eos", "bos"):
        if getattr(tokenizer, f"{kind}_token_id") is None:
            token = _configured(path, kind, tokenizer)
            if token is not None:
                setattr(tokenizer, f"{kind}_token", token)
    if tokenizer.eos_token_id is None:
        raise EvaluationError(
            "the tokenizer names no end-of-text token, and neither config.json nor "
            "generation_config.json has an eos_token_id that it knows",
            hint="add eos_token to tokenizer_config.json",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _configured(path: Path, kind: str, tokenizer: Any) -> str | None:
    """The token that a config of the model names for a purpose, None where it names none."""
    for name in ("generation_config.json", "config.json"):
        try:
            content = json.loads((path / name).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        value = content.get(f"{kind}_token_id") if isinstance(content, dict) else None
        first = value[0] if isinstance(value, list) and value else value
        if type(first) is int and 0 <= first < len(tokenizer):
            token: str | None = tokenizer.convert_ids_to_tokens(first)
            return token
    return None


class PromptEncoding:
    """What a tokenizer adds to a text, and whether its tokens have rows in the embedding.

    Args:
        tokenizer: a transformers tokenizer.
        rows: rows of the model's embedding.

    Raises:
        EvaluationError: an end-of-text, start or padding token has no row.
    """

    def __init__(self, tokenizer: Any, rows: int) -> None:
        self._tokenizer = tokenizer
        self._rows = rows
        for kind in ("eos", "bos", "pad"):
            number = getattr(tokenizer, f"{kind}_token_id")
            if number is not None and number >= rows:
                raise EvaluationError(
                    f"the {kind} token {getattr(tokenizer, f'{kind}_token')!r} has id {number}, "
                    f"but the embedding has {rows} rows",
                    hint="the tokenizer belongs to another model, or tokens were added to it",
                )
        self.after = self._added_after()

    def _added_after(self) -> list[int]:
        """The tokens that the tokenizer puts after a text."""
        bare = self._tokenizer.encode(_SAMPLE, add_special_tokens=False)
        full = self._tokenizer.encode(_SAMPLE)
        for start in range(len(full) - len(bare) + 1):
            if full[start : start + len(bare)] == bare:
                return list(full[start + len(bare) :])
        raise EvaluationError(
            f"the tokenizer encodes {_SAMPLE!r} as {bare}, but with special tokens as {full}",
            hint="its post-processor changes the text itself; use the tokenizer of a parent",
        )

    def checked(self, ids: list[int], *, with_special: bool) -> list[int]:
        """The tokens of a prompt without what the tokenizer added after it.

        Raises:
            EvaluationError: a token has no row in the embedding.
        """
        if with_special and self.after and ids[-len(self.after) :] == self.after:
            ids = ids[: -len(self.after)]
        if ids and max(ids) >= self._rows:
            token = self._tokenizer.convert_ids_to_tokens(max(ids))
            raise EvaluationError(
                f"a prompt holds token {token!r} with id {max(ids)}, but the embedding has "
                f"{self._rows} rows",
                hint="the tokenizer belongs to another model, or tokens were added to it",
            )
        return ids
