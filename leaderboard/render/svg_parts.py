"""The few pieces of SVG that our drawings are made of: deterministic, no script, no outside file.

Colours are CSS variables with the light theme's value as fallback, so that a drawing inside a
page takes the page's theme; a drawing in a file of its own carries both themes in a style sheet.
"""

from __future__ import annotations

from leaderboard.render.escape import html, web_address

PALETTE = {
    "ink": ("#111827", "#f3f4f6"),
    "muted": ("#4b5563", "#9ca3af"),
    "line": ("#d1d5db", "#374151"),
    "page": ("#ffffff", "#0b0f19"),
    "card": ("#f9fafb", "#111827"),
    "better": ("#0b6e4f", "#5fd3a6"),
    "worse": ("#a3301f", "#ff9b8a"),
    "link": ("#1d4ed8", "#93c5fd"),
    "warn": ("#854d0e", "#fcd34d"),
}
"""Light and dark value of every colour; text colours reach 4.5:1 on their page."""

FONT = "font-family:ui-sans-serif,system-ui,sans-serif"


def colour(name: str) -> str:
    """A colour of the palette as a CSS value."""
    return f"var(--mb-{name},{PALETTE[name][0]})"


def number(value: float) -> str:
    """A coordinate with at most two decimals and no negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(tag: str, content: str = "", /, **attributes: str | float | None) -> str:
    """An element; attribute values are escaped, content is not. Underscores become hyphens."""
    parts = [tag]
    for name, value in attributes.items():
        if value is not None:
            text = number(value) if isinstance(value, int | float) else html(value)
            parts.append(f'{name.rstrip("_").replace("_", "-")}="{text}"')
    head = " ".join(parts)
    return f"<{head}>{content}</{tag}>" if content else f"<{head}/>"


def text(content: str, x: float, y: float, **attributes: str | float | None) -> str:
    """A line of text, escaped, in the ink colour unless another is given."""
    style = {"fill": colour("ink"), "font_size": "13"} | attributes
    return element("text", html(content), x=x, y=y, **style)


def link(url: str | None, content: str, *, local: bool = False) -> str:
    """Content inside a link; a web address, or a page of our own where ``local``."""
    address = url if local else web_address(url)
    return element("a", content, href=address) if address else content


def drawing(
    body: str, *, width: float, height: float, title: str, description: str, standalone: bool
) -> str:
    """The whole drawing, with its name and description for those who cannot see it.

    It is a picture to assistive technology, or a group where it holds links: what is inside a
    picture cannot be reached.

    Args:
        body: the elements, already escaped.
        width: in user units, which are pixels at natural size.
        height: in user units.
        title: what it is.
        description: what it shows, in words.
        standalone: a file of its own, with name space and both themes.
    """
    head = element("title", html(title)) + element("desc", html(description))
    if standalone:
        head += element("style", _themes())
        head += element("rect", width=width, height=height, fill=colour("page"))
    return element(
        "svg",
        head + body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="group" if "<a " in body else "img",
        aria_label=title,
        style=FONT,
        class_="mb-drawing",
    )


def shortened(content: str, length: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return content if len(content) <= length else content[: length - 1] + "…"


def theme_rules(position: int) -> str:
    """The palette of one theme (0 light, 1 dark) as CSS declarations."""
    return ";".join(f"--mb-{name}:{values[position]}" for name, values in PALETTE.items())


def _themes() -> str:
    return f"svg{{{theme_rules(0)}}}@media(prefers-color-scheme:dark){{svg{{{theme_rules(1)}}}}}"
