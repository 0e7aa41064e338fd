"""Reads model references: ``org/name``, ``org/name@revision``, ``./folder``; any ``+lora``."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from bot.recipe.problems import Problems, nearest
from bot.recipe.recipe import ModelRef
from bot.recipe.strict_yaml import MapNode, Node, RefusedNode, ScalarNode, shorten

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,127}", re.ASCII)
_URL = re.compile(
    r"(?:https?://(?:www\.)?(?:huggingface\.co|hf\.co)/|hf://)(?:models/)?([^/]+/[^/]+)?"
)
LONGEST_HUB_ID = 96
_HOW = "write `org/name`, `org/name@revision`, or a folder as `./name`"
REMOTE_CODE = "a merge never runs a model's own code; use a parent that loads without it"


def read_reference(node: Node, problems: Problems) -> ModelRef | None:
    """The model that a node names, or None (then it is reported)."""
    if isinstance(node, RefusedNode):
        return None
    if isinstance(node, MapNode):
        return _from_mapping(node, problems)
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return _from_text(node, problems)
    problems.add(node, "expected a model", _HOW)
    return None


def located(reference: ModelRef, file: str) -> ModelRef:
    """The reference with absolute paths, resolved against the folder of the recipe's file."""
    path = reference.path
    if reference.is_local:
        # os.path, since it raises for no text; pathlib does.
        home = os.path.expanduser(path)  # noqa: PTH111
        path = os.path.realpath(Path(file).parent / home)
    lora = located(reference.lora, file) if reference.lora else None
    return replace(reference, path=path, lora=lora)


def hub_id_fault(path: str) -> str | None:
    """Why a text is not a valid repository id of the Hub, or None if it is valid."""
    if not HUB_ID.fullmatch(path):
        return "it must look like `org/name`, with letters, digits, `.`, `_` and `-`"
    if len(path) > LONGEST_HUB_ID:
        return f"it is longer than {LONGEST_HUB_ID} characters"
    if ".." in path or "--" in path:
        return "the Hub allows no `..` and no `--`"
    if path.endswith((".git", ".", "-")) or any(
        part.endswith((".", "-")) for part in path.split("/")
    ):
        return "a name must not end in `.git`, `.` or `-`"
    return None


def _from_text(node: ScalarNode, problems: Problems) -> ModelRef | None:
    parts = node.text.split("+")
    if len(parts) > 2:
        problems.add(
            node,
            f"more than one `+` in `{shorten(node.text)}`",
            "one LoRA per model; a path with `+` is written {model: {path: ...}}",
        )
        return None
    model = _model_from_text(parts[0], node, problems)
    if len(parts) == 1 or model is None:
        return model
    lora = _model_from_text(parts[1], node, problems)
    return _joined(model, lora)


def _model_from_text(text: str, node: Node, problems: Problems) -> ModelRef | None:
    path, at, revision = text.partition("@")
    if "@" in revision:
        problems.add(
            node,
            f"more than one `@` in `{shorten(text)}`",
            "a path with `@` is written {model: {path: ..., revision: ...}}",
        )
        return None
    return _checked(path, revision if at else None, node, node, problems)


def _from_mapping(node: MapNode, problems: Problems) -> ModelRef | None:
    _refuse_unknown(node, ("model", "lora"), problems)
    if "model" not in node.entries:
        problems.add(node, "a model written as a mapping needs the key `model`", _HOW)
        return None
    model = _part(node.entries["model"][1], problems)
    lora_node = node.entries.get("lora")
    if lora_node is None or _is_null(lora_node[1]):
        return model
    lora = _part(lora_node[1], problems)
    return _joined(model, lora)


def _joined(model: ModelRef | None, lora: ModelRef | None) -> ModelRef | None:
    if model is None or lora is None:
        return None
    return ModelRef(path=model.path, revision=model.revision, lora=lora)


def _part(node: Node, problems: Problems) -> ModelRef | None:
    if isinstance(node, RefusedNode):
        return None
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return _model_from_text(node.text, node, problems)
    if not isinstance(node, MapNode):
        problems.add(node, "expected a model", _HOW)
        return None
    _refuse_unknown(node, ("path", "revision"), problems)
    path_entry = node.entries.get("path")
    if path_entry is None:
        problems.add(node, "missing key `path`", "write {path: org/name, revision: main}")
        return None
    path, revision = path_entry[1], node.entries.get("revision", (None, None))[1]
    if not (isinstance(path, ScalarNode) and isinstance(path.value, str)):
        problems.add(path, "`path` must be text", _HOW)
        return None
    if revision is None or _is_null(revision):
        return _checked(path.text, None, path, path, problems)
    if not isinstance(revision, ScalarNode):
        problems.add(revision, "`revision` must be text", "write a branch, a tag or a commit")
        return None
    return _checked(path.text, revision.text, path, revision, problems)


def _checked(
    path: str, revision: str | None, path_node: Node, revision_node: Node, problems: Problems
) -> ModelRef | None:
    reference = ModelRef(path=path, revision=revision)
    if not reference.is_local:
        fault = hub_id_fault(path)
        if fault:
            problems.add(path_node, f"`{shorten(path)}` is not a model: {fault}", _path_hint(path))
            return None
    if revision is None:
        return reference
    if reference.is_local:
        problems.add(revision_node, "a folder has no revision", "remove it, or name a Hub model")
        return None
    if not REVISION.fullmatch(revision) or ".." in revision:
        problems.add(
            revision_node,
            f"`{shorten(revision)}` is not a revision",
            "write a branch, a tag or a commit",
        )
        return None
    return reference


def _path_hint(path: str) -> str:
    url = _URL.match(path)
    if url and url.group(1):
        return f"not a URL: write `{shorten(url.group(1))}`"
    if "/" not in path and path:
        return f"write `org/{shorten(path)}`, or `./{shorten(path)}` for a folder"
    return _HOW


def _refuse_unknown(node: MapNode, known: tuple[str, ...], problems: Problems) -> None:
    for key, (place, _) in node.entries.items():
        if key == "override_architecture":
            problems.add(
                place,
                "`override_architecture` is refused: a merge keeps its parents' architecture",
                "remove it; if the parent's config.json is wrong, correct it there",
            )
        elif key == "trust_remote_code":
            problems.add(place, "`trust_remote_code` is refused", REMOTE_CODE)
        elif key not in known:
            problems.add(place, f"unknown key `{shorten(key)}`", nearest(key, known, noun="keys"))


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None
