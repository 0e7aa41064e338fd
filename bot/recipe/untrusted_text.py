"""Decodes untrusted bytes and refuses characters that hide or reorder text.

A reviewer must see what the machine reads, so characters that change or hide text are refused:
controls, bidirectional overrides, zero-width characters, and anything that is not in Unicode's
composed normal form (NFC).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from bot.errors import Problem, RecipeError

MAXIMUM_BYTES = 64 * 1024
_PLAIN_CONTROLS = frozenset("\n\r\t")
_DECEPTIVE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_MAXIMUM_REPORTED = 20
_NOT_PLAIN = re.compile(r"[^ -~\n]")


def decode(data: bytes, file: str) -> str:
    """The text of a recipe file, without a leading byte order mark.

    Raises:
        RecipeError: more than 64 KiB, or not UTF-8.
    """
    if len(data) > MAXIMUM_BYTES:
        raise RecipeError([too_large(len(data), file)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rsplit(b"\n", 1)[-1].decode("utf-8", "replace")) + 1
        problem = Problem(
            message=f"byte 0x{data[error.start]:02x} is not UTF-8 text",
            file=file,
            line=line,
            column=column,
            hint="save the recipe as UTF-8",
        )
        raise RecipeError([problem]) from None


def too_large(size: int, file: str) -> Problem:
    """The problem of a recipe of ``size`` bytes, which is over the limit."""
    return Problem(
        message=f"the recipe has {size:,} bytes; the limit is {MAXIMUM_BYTES:,}",
        file=file,
        hint="move long texts out of the recipe",
    )


def deceptive_characters(text: str, file: str) -> list[Problem]:
    """A problem for each character that hides or reorders text, at most twenty of them."""
    found = []
    for line, column, character in _deceptive(text):
        problem = Problem(
            message=f"hidden character {describe(character)}",
            file=file,
            line=line,
            column=column,
            hint="delete it: a recipe holds visible text only",
        )
        found.append(problem)
        if len(found) == _MAXIMUM_REPORTED:
            break
    return found + _not_composed(text, file)


def hidden_character(text: str) -> str | None:
    """The first character of a value that hides or reorders text, described, or None."""
    return next((describe(character) for _, _, character in _deceptive(text)), None)


def describe(character: str) -> str:
    """``U+202E RIGHT-TO-LEFT OVERRIDE``: a character by code point and name."""
    name = unicodedata.name(character, "CONTROL CHARACTER")
    return f"U+{ord(character):04X} {name}"


def _deceptive(text: str) -> Iterator[tuple[int, int, str]]:
    if text.isascii() and text.isprintable():
        return
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.removesuffix("\r")
        for column, character in enumerate(content, start=1):
            if is_deceptive(character):
                yield number, column, character


def is_deceptive(character: str) -> bool:
    """Whether a character hides or reorders text; line feed and tab do not."""
    if character in _PLAIN_CONTROLS:
        return character == "\r"
    noncharacter = ord(character) & 0xFFFE == 0xFFFE
    return noncharacter or unicodedata.category(character) in _DECEPTIVE


def visible(text: str) -> str:
    """The text with every character that hides, reorders or commands escaped as JSON escapes it.

    Terminals obey escape sequences, and half of a surrogate pair cannot be printed at all. JSON
    stays the same JSON.
    """
    return _NOT_PLAIN.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    if not is_deceptive(found[0]):
        return found[0]
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _not_composed(text: str, file: str) -> list[Problem]:
    if unicodedata.is_normalized("NFC", text):
        return []
    lines = enumerate(text.split("\n"), start=1)
    number, line = next(
        ((n, row) for n, row in lines if not unicodedata.is_normalized("NFC", row)), (1, "")
    )
    composed = unicodedata.normalize("NFC", line)
    column = next(
        (i for i, pair in enumerate(zip(line, composed, strict=False), 1) if pair[0] != pair[1]), 1
    )
    problem = Problem(
        message="this line is not in Unicode normal form NFC: two spellings look the same",
        file=file,
        line=number,
        column=column,
        hint="save the file with composed characters (NFC)",
    )
    return [problem]
