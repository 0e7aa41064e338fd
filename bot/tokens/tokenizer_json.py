"""Rewriting a ``tokenizer.json`` for a vocabulary that grew or shrank.

Tokens from other tokenizers join the tokenizer's model, with the merges that build them. Those come
after the base's own, so that text for which the base has whole words is split as before. Every
added token is put into the model, too: ``tokenizers`` numbers added tokens anew when it loads a
file, unless the model already has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.architecture.model_config import JsonObject
from bot.errors import CheckpointError
from bot.tokens.vocabulary import Vocabulary

PLAIN_FLAGS: Mapping[str, bool] = {
    "single_word": False,
    "lstrip": False,
    "rstrip": False,
    "normalized": True,
    "special": False,
}


def rewritten_tokenizer(
    base: Vocabulary, ids: Mapping[str, int], others: Sequence[Vocabulary], label: str
) -> JsonObject:
    """The base's ``tokenizer.json`` with exactly the tokens ``ids``.

    Args:
        base: whose normalizer, pre-tokenizer, decoder and post-processor stay.
        ids: token -> id, the base's own ids unchanged.
        others: where further tokens come from, in order of precedence.
        label: how messages call the base.

    Raises:
        CheckpointError: the base's tokenizer model cannot be extended.
    """
    document = dict(base.document)
    model = dict(document["model"])
    added = _added(base, ids, others)
    ordered = dict(sorted(ids.items(), key=lambda item: item[1]))
    if isinstance(model["vocab"], list):
        model["vocab"] = _unigram(base, ordered, others, label)
    else:
        model["vocab"] = ordered
    if isinstance(model.get("merges"), list):
        model["merges"] = list(_merges(base, ids, others))
    document["model"] = model
    document["added_tokens"] = [
        {"id": ordered[token], "content": token, **added[token]}
        for token in ordered
        if token in added
    ]
    return document


def rewritten_tokenizer_config(
    config: JsonObject, base: Vocabulary, ids: Mapping[str, int], others: Sequence[Vocabulary]
) -> JsonObject:
    """The base's ``tokenizer_config.json`` with ``added_tokens_decoder`` brought up to date."""
    if not isinstance(config.get("added_tokens_decoder"), dict):
        return config
    added = _added(base, ids, others)
    decoder = {
        str(index): {"content": token, **added[token]}
        for token, index in sorted(ids.items(), key=lambda item: item[1])
        if token in added
    }
    return {**config, "added_tokens_decoder": decoder}


def _added(
    base: Vocabulary, ids: Mapping[str, int], others: Sequence[Vocabulary]
) -> dict[str, Mapping[str, bool]]:
    """Flags of every added token: the first vocabulary's that has the token; plain if none has."""
    flags: dict[str, Mapping[str, bool]] = {}
    for token in ids:
        home = next((part for part in (base, *others) if token in part.ids), None)
        if home is None:
            flags[token] = PLAIN_FLAGS
        elif token in home.added:
            flags[token] = home.added[token]
    return flags


def _merges(
    base: Vocabulary, ids: Mapping[str, int], others: Sequence[Vocabulary]
) -> Iterator[list[str]]:
    seen = set()
    for vocabulary in (base, *others):
        fresh = vocabulary is not base
        for left, right in _pairs(vocabulary.document):
            made = left + _continued(right, vocabulary.document)
            known = left in ids and right in ids and made in ids
            if known and (left, right) not in seen and not (fresh and made in base.ids):
                seen.add((left, right))
                yield [left, right]


def _pairs(document: JsonObject) -> Iterator[tuple[str, str]]:
    """A BPE model's merges, in either of the two forms ``tokenizers`` has written."""
    merges = document["model"].get("merges")
    for merge in merges if isinstance(merges, list) else []:
        parts: Any = merge.split(" ") if isinstance(merge, str) else merge
        if isinstance(parts, list) and len(parts) == 2 and all(isinstance(p, str) for p in parts):
            yield parts[0], parts[1]


def _continued(right: str, document: JsonObject) -> str:
    prefix = document["model"].get("continuing_subword_prefix")
    return right.removeprefix(prefix) if isinstance(prefix, str) else right


def _unigram(
    base: Vocabulary, ordered: Mapping[str, int], others: Sequence[Vocabulary], label: str
) -> list[list[Any]]:
    if list(ordered.values()) != list(range(len(ordered))):
        raise CheckpointError(
            f"the Unigram tokenizer of {label} has unused ids and cannot be extended",
            hint="set tokenizer_source: base, or name a model with another tokenizer",
        )
    scores: dict[str, float] = {}
    for vocabulary in (*reversed(others), base):
        entries = vocabulary.document["model"]["vocab"]
        if isinstance(entries, list):
            scores.update((token, score) for token, score in entries)
    lowest = min(scores.values(), default=0.0)
    return [[token, scores.get(token, lowest)] for token in ordered]
