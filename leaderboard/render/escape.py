"""The one place where text from strangers is made harmless, one function a destination.

Names, titles, recipes and messages come from recipes, checkpoints and pull requests. Control and
direction-changing characters are replaced everywhere, since they can hide or reorder text.
"""

from __future__ import annotations

import html as standard
import re
from urllib.parse import urlsplit

CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]"
)
MARKDOWN = re.compile(r"([\\`*_{}\[\]>#|~$&])")
LINE_START = re.compile(r"^(\d+(?=[.)])|(?=[-+=:]))")
JOINER = "\u2060"
"""An invisible character that breaks mentions and automatic links."""


def clean(text: str) -> str:
    """The text without characters that are invisible or change the order of others."""
    return CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))


def html(text: str) -> str:
    """Text for HTML and SVG, inside elements and quoted attributes alike."""
    return standard.escape(clean(text), quote=True)


def web_address(url: str | None) -> str | None:
    """The address if it is a plain http or https one, None for everything else; not yet escaped."""
    if url is None or clean(url) != url or any(character.isspace() for character in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


def html_link(url: str | None, text: str) -> str:
    """A link that gives nothing to the page it leads to, or only its text for a bad address."""
    address = web_address(url)
    if address is None:
        return html(text)
    return f'<a href="{html(address)}" rel="noopener nofollow ugc">{html(text)}</a>'


def markdown(text: str) -> str:
    """One line of Markdown that shows the text: no mark-up, mention, reference or link fires."""
    line = " ".join(clean(text).split())
    line = MARKDOWN.sub(r"\\\1", line).replace("<", "&lt;")
    for trigger in ("@", "#", "www", "mailto"):
        line = line.replace(trigger, trigger + JOINER)
    line = line.replace("://", JOINER + "://")
    return LINE_START.sub(r"\1\\", line)


def markdown_code(text: str) -> str:
    """A code span that shows the text, also inside a table."""
    line = " ".join(clean(text).split()).replace("|", "\u2502")
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def markdown_block(text: str, language: str = "") -> str:
    """A fenced block that the text cannot close."""
    content = clean(text).rstrip("\n")
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"


def markdown_link(url: str | None, text: str) -> str:
    """A Markdown link, or only its text for a bad address."""
    address = web_address(url)
    if address is None:
        return markdown(text)
    for character, code in (("<", "%3C"), (">", "%3E"), ("(", "%28"), (")", "%29"), ("|", "%7C")):
        address = address.replace(character, code)
    return f"[{markdown(text)}]({address})"


def mermaid(text: str) -> str:
    """A quoted label of a Mermaid diagram."""
    line = " ".join(clean(text).split())
    return re.sub(r"[^\w ./+,-]", lambda match: f"#{ord(match[0])};", line)


def terminal(text: str) -> str:
    """One line without control sequences."""
    return " ".join(clean(text).split())


def csv_text(text: str) -> str:
    """A text cell that no spreadsheet takes for a formula."""
    content = clean(text)
    return f"'{content}" if content[:1] in {"=", "+", "-", "@", "\t", "|", "%"} else content
