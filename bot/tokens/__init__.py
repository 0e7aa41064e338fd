"""Vocabularies, embedding alignment, tokenizer files and config.json, all read as data."""
