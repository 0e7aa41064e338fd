"""The checks of a loaded tokenizer, of a loaded model and of the first text it generates."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboard.record_provenance import Check

TEXTS = (
    "The quick brown fox jumps over 13 lazy dogs.",
    "def f(x):\n    return x ** 2  # squared\n",
    "Größe, naïve café, señor",
    "日本語のテキスト and русский текст",
    "A family: 👩‍👩‍👧, a flag: 🇺🇦, x² + y² = z²",
)
"""Sample texts of the round trip: prose, code, accents, other scripts, joined emoji."""

MAX_PADDING_ROWS = 1024
"""Embedding rows beyond the tokenizer's last token that are taken for padding."""

LONGEST_PERIOD, REPEATED_TOKENS = 4, 16


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What a model generated after a prompt; ``tokens`` hold special tokens, ``text`` does not."""

    prompt: str
    tokens: tuple[int, ...]
    text: str


def check_round_trip(tokenizer: Any, parents: Iterable[Callable[[], Any]]) -> Check:
    """Whether a text is the same after encoding and decoding.

    Some usable tokenizers lose something (case, unknown characters). A text counts as broken only
    when no parent's tokenizer changes it in the same way.
    """
    broken = [text for text in TEXTS if not _same_text(text, _round_trip(tokenizer, text))]
    if broken:
        for load in parents:
            other = load()
            broken = [
                text for text in broken if _round_trip(other, text) != _round_trip(tokenizer, text)
            ]
    detail = ""
    if broken:
        detail = f"{broken[0]!r} comes back as {_round_trip(tokenizer, broken[0])!r}"
    return Check(name="tokenizer", hard=True, passed=not broken, detail=detail)


def check_vocabulary(
    tokenizer: Any, rows: int, configured: int, parent_rows: Sequence[int]
) -> Check:
    """Whether the tokenizer, the embedding and ``config.json`` have the same vocabulary."""
    vocabulary = tokenizer.get_vocab()
    token, last = max(vocabulary.items(), key=lambda entry: entry[1])
    detail = ""
    if last >= rows:
        detail = f"token {token!r} has id {last}, but the embedding has {rows} rows"
    elif rows - last - 1 > MAX_PADDING_ROWS and rows not in parent_rows:
        detail = f"the embedding has {rows} rows for {last + 1} tokens, more than padding explains"
    elif configured != rows:
        detail = f"config.json says vocab_size {configured}, but the embedding has {rows} rows"
    return Check(name="vocabulary", hard=True, passed=not detail, detail=detail)


def check_special_tokens(tokenizer: Any, configured: Mapping[str, Any], rows: int) -> Check:
    """Whether every special token has a row in the embedding."""
    named: dict[str, Any] = {
        f"tokenizer {kind}_token": getattr(tokenizer, f"{kind}_token_id", None)
        for kind in ("bos", "eos", "pad", "unk")
    }
    wrong = [
        f"{name} is {value}"
        for name, values in (named | dict(configured)).items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None and not 0 <= value < rows
    ]
    detail = f"outside the {rows} rows of the embedding: {', '.join(wrong)}" if wrong else ""
    return Check(name="special tokens", hard=True, passed=not wrong, detail=detail)


def configured_special_tokens(model: Any) -> dict[str, Any]:
    """The special token ids of a model's config and generation config."""
    return {
        f"{file} {kind}_token_id": getattr(config, f"{kind}_token_id", None)
        for file, config in (
            ("config.json", model.config),
            ("generation_config.json", model.generation_config),
        )
        for kind in ("bos", "eos", "pad")
    }


def check_generation(generations: Sequence[Generation]) -> Check:
    """A warning when most answers are empty or repeat themselves."""
    faults = [(answer.prompt, fault) for answer in generations if (fault := _fault(answer))]
    found = "; ".join(f"{prompt!r}: {fault}" for prompt, fault in faults)
    return Check(
        name="generation", hard=False, passed=2 * len(faults) <= len(generations),
        detail=found[:2000],
    )  # fmt: skip


def _fault(answer: Generation) -> str | None:
    if not answer.text.strip():
        return "generates nothing"
    tail = answer.tokens[-REPEATED_TOKENS:]
    if len(tail) < REPEATED_TOKENS:
        return None
    for period in range(1, LONGEST_PERIOD + 1):
        if tail[period:] == tail[:-period]:
            return f"repeats itself: {answer.text[-40:]!r}"
    return None


def _round_trip(tokenizer: Any, text: str) -> str:
    ids = tokenizer.encode(text, add_special_tokens=False)
    back: str = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return back


def _same_text(text: str, back: str) -> bool:
    """Equal up to Unicode compatibility forms and outer spaces, which many tokenizers change."""
    first, second = (unicodedata.normalize("NFKC", each).strip() for each in (text, back))
    return first == second
