"""Rules for recipes in a repository that anyone may propose changes to.

Community recipes (``recipes/community``) have required fields and name models on the Hub only.
Local paths of other recipes must not lead out of the repository.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bot.recipe.field_readers import value_of
from bot.recipe.load_recipe import read_document, read_file
from bot.recipe.model_reference import located
from bot.recipe.problems import Problems
from bot.recipe.recipe import ModelRef
from bot.recipe.strict_yaml import ListNode, MapNode, Node, ScalarNode, shorten

FOLDER = ("recipes", "community")
REQUIRED = {
    "name": "write `name: my-merge`; the merge is published under it",
    "license": "write the Hub's identifier of a license, such as `license: apache-2.0`",
    "authors": "write `authors: [your-name]`",
    "suites": "write `suites: [quick]`; `mergebot suites` lists them",
}
_NAMES_A_MODEL = frozenset(
    {"model", "base_model", "lora", "path", "source", "tokenizer_source"}
)  # fmt: skip
_LOCAL = (".", "/", "~")


def is_community(path: Path) -> bool:
    """Whether a file lies in a folder ``recipes/community``."""
    return path.absolute().parent.parts[-2:] == FOLDER


def check_community_rules(path: Path) -> None:
    """Check a community recipe's file against the rules that hold for community recipes only.

    Raises:
        RecipeError: every rule that it breaks, each with its line; or it cannot be read.
    """
    root, problems = read_document(read_file(path), str(path))
    if isinstance(root, MapNode):
        _check_fields(root, path, problems)
    for node in _local_paths(root):
        problems.add(
            node,
            f"`{shorten(node.text)}` is a local path; a community recipe names models on the Hub",
            "upload the model and write its id: `org/name`",
        )
    problems.raise_if_any()


def _check_fields(root: MapNode, path: Path, problems: Problems) -> None:
    if path.is_symlink():
        problems.add(root, "a community recipe must not be a symbolic link", "add a plain file")
    for key, hint in REQUIRED.items():
        value = value_of(root, key)
        if value is None or (isinstance(value, ListNode) and not value.items):
            problems.add(root, f"a community recipe needs `{key}`", hint)
    name = value_of(root, "name")
    if isinstance(name, ScalarNode) and path.name != f"{name.text}.yaml":
        hint = f"rename it to {shorten(name.text)}.yaml, or change `name`"
        problems.add(name, f"the file is called {path.name}, not after its `name`", hint)


def _local_paths(node: Node, key: str = "") -> Iterator[ScalarNode]:
    """Every model reference that names a folder, wherever the grammar allows a reference."""
    if isinstance(node, MapNode):
        for name, (_, value) in node.entries.items():
            yield from _local_paths(value, name)
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _local_paths(item)
    elif isinstance(node, ScalarNode) and key in _NAMES_A_MODEL and any(_local_parts(node)):
        yield node


def _local_parts(node: ScalarNode) -> Iterator[str]:
    return (part for part in node.text.split("+") if part.startswith(_LOCAL))


def require_inside(path: Path, repository: Path) -> None:
    """Refuse local models that lie outside a repository, symbolic links followed.

    Raises:
        RecipeError: every reference to such a model, with its line; or the file cannot be read.
    """
    root, problems = read_document(read_file(path), str(path))
    inside = os.path.realpath(repository)
    for node in _local_paths(root):
        for part in _local_parts(node):
            outside = _outside(located(ModelRef(path=part), str(path)).path, inside)
            if outside:
                message = f"`{shorten(part)}` leads out of the repository"
                problems.add(node, message, "name a folder of the repository without links")
    problems.raise_if_any()


def _outside(folder: str, inside: str) -> bool:
    """Whether a folder, or a file in it, lies outside; both paths are free of links."""
    try:
        files = [entry.path for entry in os.scandir(folder)]
    except (OSError, ValueError):  # not there, or not readable: planning reports it
        files = []
    found = [folder, *map(os.path.realpath, files)]
    return any(os.path.commonpath([inside, each]) != inside for each in found)
