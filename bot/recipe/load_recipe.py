"""Loads a recipe file or text into a ``Recipe``, or raises every problem in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.errors import Problem, RecipeError
from bot.recipe.method_signature import Signature, load_signatures
from bot.recipe.problems import Problems
from bot.recipe.recipe import Recipe
from bot.recipe.render_problems import with_excerpts
from bot.recipe.strict_yaml import Node, compose
from bot.recipe.top_level import read_recipe
from bot.recipe.untrusted_text import MAXIMUM_BYTES, deceptive_characters, decode, too_large

Signatures = Mapping[str, Signature]


def load_recipe(path: Path, signatures: Signatures | None = None) -> Recipe:
    """Read and check a recipe file.

    Raises:
        RecipeError: every problem of the file, each with line and column; nothing else is raised.
    """
    return parse_recipe(read_file(path), str(path), signatures)


def parse_recipe(
    source: str | bytes, file: str = "recipe.yaml", signatures: Signatures | None = None
) -> Recipe:
    """Read and check a recipe's text; ``file`` is the name that problems carry.

    Raises:
        RecipeError: every problem of the text, each with line and column; nothing else is raised.
    """
    root, problems = read_document(source, file)
    known = load_signatures() if signatures is None else signatures
    recipe = read_recipe(root, known, problems, text=problems.text, file=file)
    problems.raise_if_any()
    if recipe is None:
        raise RecipeError([Problem(message="the recipe could not be read", file=file)])
    return recipe


def read_document(source: str | bytes, file: str) -> tuple[Node, Problems]:
    """A recipe's YAML tree, before the grammar is checked, and the problems found so far.

    Raises:
        RecipeError: the text is not valid YAML, or has hidden characters.
    """
    data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    text = decode(data, file)
    hidden = deceptive_characters(text, file)
    if hidden:
        raise RecipeError(with_excerpts(hidden, text))
    root, found = compose(text, file)
    if root is None:
        raise RecipeError(with_excerpts(found, text))
    return root, Problems(file, text, found)


def read_file(path: Path) -> bytes:
    """A recipe file's bytes, not more than the limit.

    Raises:
        RecipeError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAXIMUM_BYTES + 1)
            size = stream.seek(0, 2) if len(data) > MAXIMUM_BYTES else len(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = Problem(
            message=f"cannot read the recipe: {reason}", file=str(path), hint="check the path"
        )
        raise RecipeError([problem]) from None
    if size > MAXIMUM_BYTES:
        raise RecipeError([too_large(size, str(path))])
    return data
