"""Files of a model, fetched before its process starts: by the Space, which may hold a token.

Only weights, configuration and tokenizer are fetched, at the commit that the record names.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from space_app.chat.chat_backend import ChatModel

PATTERNS = (
    "*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json",
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja",
    "chat_template.json",
)  # fmt: skip
COMMIT = re.compile(r"[0-9a-f]{40}")
LONGEST_TEMPLATE = 1_000_000


class ModelFilesError(Exception):
    """The files cannot be had; the text is one sentence for the visitor."""


class ModelFiles:
    """Finds or fetches the folder of a model.

    Args:
        endpoint: the Hub's address, its default where None.
        token: for private models; it stays in this process.
        cache: where fetched files are kept, the Hub client's cache where None.
    """

    def __init__(
        self, *, endpoint: str | None = None, token: str | None = None, cache: Path | None = None
    ) -> None:
        self._endpoint = endpoint
        self._token = token
        self._cache = cache

    def is_local(self, model: ChatModel) -> bool:
        """Whether the model is a folder of this machine and not a Hub repository."""
        return model.revision is None

    def folder(self, model: ChatModel) -> Path:
        """The folder with the model's files.

        Raises:
            ModelFilesError: it is gone, has no known commit, or cannot be fetched.
        """
        if self.is_local(model):
            return self._present(model)
        from huggingface_hub import snapshot_download

        if not COMMIT.fullmatch(model.revision or ""):
            raise ModelFilesError(
                f"{model.name} cannot be loaded: its record names no commit of {model.location}"
            )
        try:
            return Path(
                snapshot_download(
                    model.location, revision=model.revision, allow_patterns=list(PATTERNS),
                    endpoint=self._endpoint, token=self._token, cache_dir=self._cache,
                )
            )  # fmt: skip
        except Exception as failure:  # the client raises many kinds of errors
            lines = str(failure).splitlines() or [type(failure).__name__]
            raise ModelFilesError(f"{model.name} could not be fetched: {lines[0]}") from failure

    def template(self, model: ChatModel) -> str | None:
        """A model's chat template as text, read as data; None where it has none.

        Raises:
            ValueError: the files cannot be read.
        """
        try:
            folder = self.folder(model)
            return _template_in(folder)
        except (ModelFilesError, OSError, ValueError, RecursionError) as failure:
            lines = str(failure).splitlines() or [type(failure).__name__]
            raise ValueError(
                f"the chat template of {model.name} cannot be read: {lines[0]}"
            ) from failure

    def _present(self, model: ChatModel) -> Path:
        folder = Path(model.location)
        if not folder.is_absolute():  # a relative path could shadow a repository of that name
            raise ModelFilesError(
                f"{model.name} cannot be loaded: its record names no commit of {model.location}"
            )
        if not folder.is_dir():
            raise ModelFilesError(
                f"the folder of {model.name} is gone ({folder}): run its recipe again"
            )
        if not (folder / "config.json").is_file():
            raise ModelFilesError(f"{model.name} could not be loaded: {folder} has no config.json")
        return folder


def _template_in(folder: Path) -> str | None:
    jinja = folder / "chat_template.jinja"
    if jinja.is_file():
        return _text_of(jinja)
    config: Any = json.loads(_text_of(folder / "tokenizer_config.json"))
    found = config.get("chat_template") if isinstance(config, dict) else None
    if isinstance(found, list):
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _text_of(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(LONGEST_TEMPLATE + 1)
    if len(content) > LONGEST_TEMPLATE:
        raise ValueError(f"{path.name} is larger than {LONGEST_TEMPLATE:,} bytes")
    return content.decode("utf-8")
