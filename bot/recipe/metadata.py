"""Reads a recipe's metadata: name, description, license, authors, tags, suites."""

from __future__ import annotations

import re

from bot.recipe.field_readers import read_list, read_text, read_word, value_of
from bot.recipe.problems import Problems
from bot.recipe.recipe import About
from bot.recipe.strict_yaml import MapNode

ABOUT_KEYS = ("name", "description", "license", "authors", "tags", "seed", "suites")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", re.ASCII)
LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}", re.ASCII)
TAG = re.compile(r"[\w][\w .:/+-]{0,63}")
LONGEST_DESCRIPTION = 2000
LONGEST_AUTHOR = 100
MOST_AUTHORS = 20
MOST_TAGS = 20
MOST_SUITES = 10
_NAME_HINT = "1 to 96 letters, digits, `.`, `_` and `-`, beginning with a letter or digit"


def read_about(root: MapNode, problems: Problems) -> About:
    """Name, description, license, authors, tags and suites from the recipe's top level."""
    node, longest = value_of(root, "description"), LONGEST_DESCRIPTION
    description = read_text(node, "`description`", problems, longest=longest, one_line=False)
    return About(
        name=_read_name(root, problems),
        description=description.strip() if description else None,
        license=read_word(
            value_of(root, "license"),
            "`license`",
            LICENSE,
            "write the Hub's identifier, such as apache-2.0",
            problems,
        ),
        authors=_read_authors(root, problems),
        tags=_read_words(root, "tags", TAG, "letters, digits and ` .:/+-_`", MOST_TAGS, problems),
        suites=_read_words(root, "suites", NAME, _NAME_HINT, MOST_SUITES, problems),
    )


def _read_name(root: MapNode, problems: Problems) -> str | None:
    node = value_of(root, "name")
    name = read_word(node, "`name`", NAME, _NAME_HINT, problems)
    if name and node and (".." in name or "--" in name or name.endswith((".git", ".", "-"))):
        problems.add(
            node,
            f"`name` `{name}` cannot be a repository on the Hub",
            "avoid `..` and `--`, and do not end in `.git`, `.` or `-`",
        )
        return None
    return name


def _read_authors(root: MapNode, problems: Problems) -> tuple[str, ...]:
    items = read_list(value_of(root, "authors"), "`authors`", problems, longest=MOST_AUTHORS)
    texts = [read_text(item, "an author", problems, longest=LONGEST_AUTHOR) for item in items]
    return tuple(text.strip() for text in texts if text)


def _read_words(
    root: MapNode, key: str, pattern: re.Pattern[str], hint: str, most: int, problems: Problems
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for item in read_list(value_of(root, key), f"`{key}`", problems, longest=most):
        word = read_word(item, f"an entry of `{key}`", pattern, hint, problems)
        if word in found:
            problems.add(item, f"`{word}` is listed twice in `{key}`", "keep one")
        elif word:
            found[word] = None
    return tuple(found)
