"""The tokenizer's and other side files that a merge takes over from a parent."""

from __future__ import annotations

from bot.checkpoint.source import Source

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "chat_template.jinja",
    "chat_template.json",
)
SLOW_TOKENIZER_FILES = frozenset(
    {
        "added_tokens.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
        "vocab.json", "merges.txt", "vocab.txt",
    }
)  # fmt: skip
"""Other forms of the same vocabulary, which no longer hold once ``tokenizer.json`` is rewritten."""
PROCESSOR_FILES = (
    "preprocessor_config.json",
    "processor_config.json",
    "image_processor_config.json",
    "video_preprocessor_config.json",
)


def tokenizer_files(source: Source) -> dict[str, bytes]:
    """Every tokenizer file the model has, byte for byte."""
    return _present(source, TOKENIZER_FILES)


def processor_files(source: Source) -> dict[str, bytes]:
    """Every file of an image, audio or video processor the model has, byte for byte."""
    return _present(source, PROCESSOR_FILES)


def _present(source: Source, names: tuple[str, ...]) -> dict[str, bytes]:
    read = {name: source.file(name) for name in names}
    return {name: data for name, data in read.items() if data is not None}
