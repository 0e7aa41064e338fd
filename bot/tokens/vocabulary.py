"""A tokenizer read as data: which token has which id. No tokenizer is built and no code is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.architecture.model_config import JsonObject, read_json_object
from bot.checkpoint.source import Source
from bot.errors import CheckpointError

MAXIMUM_ID = 1 << 20
"""Tokens and ids of one model; the largest published vocabularies have about 900,000 tokens."""
_SIZE_CAP = 64 << 20
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """A model's tokens.

    ``ids`` has every token, in order of id; ``added`` the tokens outside the tokenizer's model
    (control tokens and the like) with their flags; ``document`` is ``tokenizer.json``.
    """

    ids: Mapping[str, int]
    added: Mapping[str, Mapping[str, bool]]
    document: JsonObject

    @property
    def rows(self) -> int:
        """Rows an embedding needs to have one for every token."""
        return max(self.ids.values(), default=-1) + 1

    def limited(self, rows: int | None) -> Vocabulary:
        """Without the tokens that have no row in an embedding of ``rows`` rows."""
        if rows is None or rows >= self.rows:
            return self
        ids = {token: index for token, index in self.ids.items() if index < rows}
        added = {token: flags for token, flags in self.added.items() if token in ids}
        return Vocabulary(ids=ids, added=added, document=self.document)


def read_vocabulary(source: Source, label: str) -> Vocabulary | None:
    """The model's vocabulary, or None when it has no ``tokenizer.json``.

    Tokens that only ``added_tokens.json`` or ``tokenizer_config.json`` add are included.

    Raises:
        CheckpointError: the file is not what ``tokenizers`` writes, or two tokens share an id.
    """
    document = read_json_object(source, "tokenizer.json", label, cap=_SIZE_CAP)
    if document is None:
        return None
    place = f"tokenizer.json of {label}"
    ids = _model_ids(document, place)
    added: dict[str, Mapping[str, bool]] = {}
    for entry in _list(document.get("added_tokens") or [], place):
        if not isinstance(entry, dict) or not isinstance(entry.get("content"), str):
            raise _broken(f"{place} has an added token without text")
        ids[entry["content"]] = _id(entry.get("id"), entry["content"], place)
        added[entry["content"]] = _flags(entry)
    for token, index, flags in _beside(source, label):
        if token not in ids:
            ids[token] = index
            added[token] = flags
    if len(ids) > MAXIMUM_ID:
        raise _broken(f"{place} has {len(ids):,} tokens; the limit is {MAXIMUM_ID:,}")
    ordered = dict(sorted(ids.items(), key=lambda item: item[1]))
    _refuse_shared_ids(ordered, place)
    return Vocabulary(ids=ordered, added=added, document=document)


def _model_ids(document: JsonObject, place: str) -> dict[str, int]:
    model = document.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocab, dict):
        return {token: _id(index, token, place) for token, index in vocab.items()}
    if isinstance(vocab, list):
        ids: dict[str, int] = {}
        for index, row in enumerate(vocab):
            if ids.setdefault(_unigram(row, place), index) != index:
                raise _broken(f"{place} has {row[0]!r} twice")
        return ids
    raise _broken(f"{place} has no vocabulary")


def _unigram(row: Any, place: str) -> str:
    pair = isinstance(row, list) and len(row) == 2 and isinstance(row[0], str)
    if not pair or isinstance(row[1], bool) or not isinstance(row[1], int | float):
        raise _broken(f"{place} has a Unigram entry that is not [token, score]")
    return str(row[0])


def _beside(source: Source, label: str) -> list[tuple[str, int, Mapping[str, bool]]]:
    """Tokens that the other tokenizer files add, with their flags, in order of id."""
    found: list[tuple[str, int, Mapping[str, bool]]] = []
    config = read_json_object(source, "tokenizer_config.json", label, cap=_SIZE_CAP) or {}
    decoder = config.get("added_tokens_decoder")
    for index, entry in (decoder if isinstance(decoder, dict) else {}).items():
        if isinstance(entry, dict) and isinstance(entry.get("content"), str) and index.isdecimal():
            token = entry["content"]
            place = f"tokenizer_config.json of {label}"
            found.append((token, _id(int(index[:10]), token, place), _flags(entry)))
    legacy = read_json_object(source, "added_tokens.json", label, cap=_SIZE_CAP) or {}
    place = f"added_tokens.json of {label}"
    found += [(token, _id(index, token, place), _flags({})) for token, index in legacy.items()]
    return sorted(found, key=lambda item: item[1])


def _flags(entry: Mapping[str, Any]) -> Mapping[str, bool]:
    return {flag: entry.get(flag) is True for flag in _FLAGS}


def _id(value: Any, token: str, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAXIMUM_ID:
        raise _broken(f"{place} gives {token!r} the id {value!r}")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise _broken(f"{place} has added tokens that are no list")
    return value


def _refuse_shared_ids(ordered: Mapping[str, int], place: str) -> None:
    if len(set(ordered.values())) == len(ordered):
        return
    seen: dict[int, str] = {}
    for token, index in ordered.items():
        if index in seen:
            raise _broken(f"{place} gives {seen[index]!r} and {token!r} the same id {index}")
        seen[index] = token


def _broken(message: str) -> CheckpointError:
    return CheckpointError(
        message, hint="save the tokenizer once more with transformers, or leave the model out"
    )
