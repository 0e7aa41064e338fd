"""The title, description and social tags of the page: the board's, not Gradio's."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leaderboard.render.escape import html

DESCRIPTION = (
    "Merged language models ranked with paired tests against every parent, with their recipes,"
    " lineage and a chat."
)
TAG = re.compile(
    r"<meta\s+(?:property|name)=\"(?:og:[a-z:]+|twitter:[a-z:]+|description)\"[^>]*>\s*"
    r"|<title>[^<]*</title>\s*",
    re.DOTALL,
)


def page_tags(title: str) -> str:
    """The tags of a page with this title."""
    shown, described = html(title), html(DESCRIPTION)
    tags = [
        f"<title>{shown}</title>",
        f'<meta name="description" content="{described}">',
        f'<meta property="og:title" content="{shown}">',
        '<meta property="og:type" content="website">',
        f'<meta property="og:description" content="{described}">',
        '<meta name="twitter:card" content="summary">',
        f'<meta name="twitter:title" content="{shown}">',
        f'<meta name="twitter:description" content="{described}">',
    ]
    return "".join(tags)


def with_tags(page: str, title: str) -> str:
    """A page with our tags in place of Gradio's."""
    return TAG.sub("", page).replace("</head>", f"{page_tags(title)}</head>", 1)


class PageTagsMiddleware:
    """Replaces the tags of the Space's page on its way out."""

    def __init__(self, app: ASGIApp, title: str) -> None:
        self._app = app
        self._title = title

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["type"] != "http" or scope["path"] != "/":
            await self._app(scope, receive, send)
            return
        begun: list[Message] = []
        body = bytearray()

        async def rewritten(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            start = begun[0]
            headers = MutableHeaders(scope=start)
            content = bytes(body)
            if headers.get("content-type", "").startswith("text/html") and content:
                content = with_tags(content.decode("utf-8"), self._title).encode("utf-8")
                headers["content-length"] = str(len(content))
            await send(start)
            await send({"type": "http.response.body", "body": content})

        await self._app(scope, receive, rewritten)
