"""Local model folders that a recipe names: where they are, and an error for those that are not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bot.errors import Problem, RecipeError
from bot.recipe.recipe import ModelRef, Recipe


def local_path(ref: ModelRef, folder: Path) -> Path:
    """Where a local reference points, seen from the recipe's folder."""
    path = Path(ref.path)
    with suppress(RuntimeError):  # no user has this name: ``~name`` is a folder, as in a shell
        path = path.expanduser()
    return path if path.is_absolute() else folder / path


def require_local(recipe: Recipe, folder: Path) -> None:
    """Raise RecipeError for every local parent that is not a folder, at its line."""
    problems = []
    for ref in recipe.references():
        path = local_path(ref, folder)
        if ref.is_local and not path.is_dir():
            line = _line_of(recipe.text, ref.path)
            hint = f"paths are relative to the recipe's folder, {folder.resolve()}"
            message = f"there is no folder {ref.path}"
            if path.exists():
                message = f"{ref.path} is a file; a model is a folder"
            problems.append(Problem(message=message, file=recipe.file, line=line, hint=hint))
    if problems:
        raise RecipeError(problems)


def _line_of(text: str, word: str) -> int | None:
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if word in line), None)
