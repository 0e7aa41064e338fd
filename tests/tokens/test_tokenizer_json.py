"""Rewritten tokenizers, loaded by the tokenizers library itself."""

from __future__ import annotations

import json

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from bot.errors import CheckpointError
from bot.tokens.token_alignment import extended, union
from bot.tokens.tokenizer_json import rewritten_tokenizer, rewritten_tokenizer_config
from bot.tokens.vocabulary import Vocabulary, read_vocabulary
from tests.plan.parents import HeaderSource
from tests.tokens.made import CORPUS, bpe

OTHER = ["unions of vocabularies", "vocabularies join their words", "the unions"]


def read(tokenizer: Tokenizer) -> Vocabulary:
    files = {"tokenizer.json": tokenizer.to_str().encode()}
    vocabulary = read_vocabulary(HeaderSource({}, files), "org/model")
    assert vocabulary is not None
    return vocabulary


def joined(*tokenizers: Tokenizer, more: tuple[str, ...] = ()) -> tuple[dict[str, int], Tokenizer]:
    donor, *others = [read(tokenizer) for tokenizer in tokenizers]
    ids = extended(union([donor, *others]), more)
    document = rewritten_tokenizer(donor, ids, others, "org/model")
    return ids, Tokenizer.from_str(json.dumps(document))


def split(model: models.Model, *added: str) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in added])
    return tokenizer


def test_bpe_union_knows_both_models_words() -> None:
    base = bpe(CORPUS, 48, special=["<s>"], added=["<end>"])
    other = bpe(OTHER, 60, special=["<s>"], added=["<turn>"])
    ids, made = joined(base, other, more=("<new>",))
    assert made.get_vocab() == ids
    for text in CORPUS:
        assert made.encode(text).tokens == base.encode(text).tokens
        assert made.decode(made.encode(text).ids) == base.decode(base.encode(text).ids)
    for text in OTHER:  # the base alone has no token for some of these letters
        letters = text.replace(" ", "")
        assert "".join(made.encode(text).tokens) == letters != "".join(base.encode(text).tokens)
        assert len(made.encode(text).ids) < len(letters)
    assert made.encode("<turn>cat<new><end>").tokens == ["<turn>", "cat", "<new>", "<end>"]


def test_word_models() -> None:
    for kind in (models.WordLevel, models.WordPiece):
        base = split(kind(vocab={"[UNK]": 0, "a": 1}, unk_token="[UNK]"), "[X]")
        other = split(kind(vocab={"[UNK]": 0, "b": 1, "a": 2}, unk_token="[UNK]"), "[Y]")
        ids, made = joined(base, other)
        assert made.get_vocab() == ids == {"[UNK]": 0, "a": 1, "[X]": 2, "b": 3, "[Y]": 4}
        assert made.encode("a b [Y] c").ids == [1, 3, 4, 0]


def test_unigram_keeps_scores() -> None:
    base = split(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("ab", -4.0)], unk_id=0), "<s>")
    other = split(models.Unigram([("<unk>", 0.0), ("b", -1.0)], unk_id=0))
    ids, made = joined(base, other)
    assert made.get_vocab() == ids == {"<unk>": 0, "a": 1, "ab": 2, "<s>": 3, "b": 4}
    assert made.encode("ab").tokens == ["a", "b"]
    assert base.encode("ab").tokens == ["ab"]


def test_unigram_with_unused_ids_is_refused() -> None:
    donor = read(split(models.Unigram([("<unk>", 0.0)], unk_id=0)))
    with pytest.raises(CheckpointError, match="unused ids"):
        rewritten_tokenizer(donor, {"<unk>": 0, "z": 4}, [], "org/model")


def test_tokens_without_rows_are_stripped_with_their_merges() -> None:
    whole = bpe(CORPUS, 48, special=["<s>"], added=["<end>"])
    vocabulary = read(whole).limited(40)
    document = rewritten_tokenizer(vocabulary, vocabulary.ids, [], "org/model")
    made = Tokenizer.from_str(json.dumps(document))
    assert sorted(made.get_vocab().values()) == list(range(40))
    for text in CORPUS:
        assert made.decode(made.encode(text).ids).replace(" ", "") == text.replace(" ", "")


def test_legacy_merges_written_as_text() -> None:
    tokenizer = json.loads(bpe(CORPUS, 48).to_str())
    tokenizer["model"]["merges"] = [" ".join(pair) for pair in tokenizer["model"]["merges"]]
    old = Tokenizer.from_str(json.dumps(tokenizer))
    vocabulary = read_vocabulary(
        HeaderSource({}, {"tokenizer.json": json.dumps(tokenizer).encode()}), "org/model"
    )
    assert vocabulary is not None
    ids = extended(vocabulary.ids, ["<new>"])
    made = Tokenizer.from_str(json.dumps(rewritten_tokenizer(vocabulary, ids, [], "org/model")))
    assert made.get_vocab() == ids
    assert made.encode(CORPUS[0]).tokens == old.encode(CORPUS[0]).tokens


def test_the_config_lists_every_added_token() -> None:
    base, other = bpe(CORPUS, 48, added=["<end>"]), bpe(CORPUS, 48, added=["<turn>"])
    donor, more = read(base), read(other)
    ids = union([donor, more])
    config = {"added_tokens_decoder": {"48": {"content": "<end>"}}, "model_max_length": 5}
    made = rewritten_tokenizer_config(config, donor, ids, [more])
    assert made["model_max_length"] == 5
    assert {int(index): row["content"] for index, row in made["added_tokens_decoder"].items()} == {
        ids["<end>"]: "<end>",
        ids["<turn>"]: "<turn>",
    }
    assert rewritten_tokenizer_config({}, donor, ids, [more]) == {}
