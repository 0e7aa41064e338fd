"""Reading tokenizers as data: what real ones hold, and what hostile ones may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.errors import CheckpointError
from bot.tokens.vocabulary import MAXIMUM_ID, Vocabulary, read_vocabulary
from tests.plan.parents import HeaderSource
from tests.present import present
from tests.tokens.made import CORPUS, bpe


def read(document: Any, **others: Any) -> Vocabulary:
    files = {"tokenizer.json": document if isinstance(document, bytes) else json.dumps(document)}
    files |= {f"{name}.json": json.dumps(value) for name, value in others.items()}
    data = {k: v if isinstance(v, bytes) else v.encode() for k, v in files.items()}
    return present(read_vocabulary(HeaderSource({}, data), "org/model"))


def words(*tokens: str) -> dict[str, Any]:
    vocab = {token: index for index, token in enumerate(tokens)}
    return {"model": {"type": "WordLevel", "vocab": vocab}, "added_tokens": []}


def test_ids_are_the_librarys() -> None:
    tokenizer = bpe(CORPUS, 50, special=["<s>"], added=["<a>", "<b>"])
    vocabulary = read(tokenizer.to_str().encode())
    assert vocabulary.ids == tokenizer.get_vocab()
    assert list(vocabulary.ids.values()) == sorted(vocabulary.ids.values())
    assert set(vocabulary.added) == {"<s>", "<a>", "<b>"}
    assert vocabulary.added["<a>"]["special"]
    assert vocabulary.rows == tokenizer.get_vocab_size()
    assert vocabulary.limited(vocabulary.rows) is vocabulary
    assert set(vocabulary.limited(vocabulary.ids["<b>"]).added) == {"<s>", "<a>"}


def test_tokens_of_the_other_files() -> None:
    vocabulary = read(
        words("a", "b"),
        added_tokens={"<x>": 2, "a": 0},
        tokenizer_config={"added_tokens_decoder": {"3": {"content": "<y>", "special": True}}},
    )
    assert vocabulary.ids == {"a": 0, "b": 1, "<x>": 2, "<y>": 3}
    assert vocabulary.added["<y>"]["special"]


def test_no_tokenizer() -> None:
    assert read_vocabulary(HeaderSource({}, {}), "org/model") is None


@pytest.mark.parametrize(
    "document",
    [
        b"", b"[]", b"{}", b'{"model": []}', b'{"model": {"vocab": 3}}', b"\xff\xfe",
        b'{"model": {"vocab": [["a"]]}}', b'{"model": {"vocab": [[1, 2]]}}',
        b'{"model": {"vocab": [["a", null]]}}', b'{"model": {"vocab": [["a", 1], ["a", 2]]}}',
        b'{"model": {"vocab": {"a": -1}}}', b'{"model": {"vocab": {"a": 1.5}}}',
        b'{"model": {"vocab": {"a": true}}}', b'{"model": {"vocab": {"a": "0"}}}',
        b'{"model": {"vocab": {"a": null}}}', b'{"model": {"vocab": {"a": 0, "b": 0}}}',
        b'{"model": {"vocab": {"a": 0}}, "added_tokens": {"x": 1}}',
        b'{"model": {"vocab": {"a": 0}}, "added_tokens": [1]}',
        b'{"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 1}]}',
        b'{"model": {"vocab": {"a": 0}}, "added_tokens": [{"content": "b"}]}',
        b'{"model": {"vocab": {"a": 0}}, "added_tokens": [{"content": "b", "id": 0}]}',
        b'{"a": ' + b"[" * 200_000,
        json.dumps({"model": {"vocab": {"a": MAXIMUM_ID}}}).encode(),
    ],
)  # fmt: skip
def test_broken_tokenizers_are_explained(document: bytes) -> None:
    with pytest.raises(CheckpointError, match="org/model") as caught:
        read(document)
    assert caught.value.hint


@pytest.mark.parametrize(
    "others",
    [
        {"added_tokens": {"x": "1"}},
        {"added_tokens": [1]},
        {"tokenizer_config": {"added_tokens_decoder": {"9" * 5000: {"content": "x"}}}},
    ],
)
def test_broken_files_beside_the_tokenizer(others: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="org/model"):
        read(words("a"), **others)


def test_odd_decoders_are_passed_over() -> None:
    odd = {"added_tokens_decoder": {"x": {"content": "y"}, "²": {"content": "z"}, "5": 3}}
    assert read(words("a"), tokenizer_config=odd).ids == {"a": 0}
