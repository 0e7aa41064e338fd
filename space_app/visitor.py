"""Who is visiting: an account where they signed in, else a signed cookie of this browser.

The cookie is random, http-only and says nothing about the visitor. It is what limits are counted
for and what votes are deleted by. The network address limits rates only, since an office shares
one, and it is hashed with the day. A forwarded address is read only from a proxy that the operator
trusts, because anybody can send the header.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "mergebot_visitor"
YEAR = 365 * 86_400
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7")
"""From where the Hub's own proxy reaches a Space; nobody else can reach its container."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Visitor(NamedTuple):
    """One visitor.

    ``name`` identifies them for limits and votes; ``address`` limits rates only; ``account`` is
    None for those not signed in; ``browser`` is the cookie's identity, under which they may have
    voted before they signed in.
    """

    name: str
    address: str
    account: str | None
    browser: str


class VisitorCookie:
    """Signs and reads the cookie.

    Args:
        secret: the key of the signature.
    """

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(f"visitor cookie\0{secret}".encode()).digest()

    def new(self) -> str:
        """A fresh value: a random name and its signature."""
        name = secrets.token_hex(16)
        return f"{name}.{self._signature(name)}"

    def name_in(self, value: str | None) -> str | None:
        """The name in a cookie's value; None where it was not signed here."""
        name, _, signature = (value or "")[:200].partition(".")
        good = hmac.compare_digest(signature.encode(), self._signature(name).encode())
        return name if name and good else None

    def _signature(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:32]


class CookieMiddleware:
    """Gives every browser that opens a page the visitor cookie, where it has none that is valid."""

    def __init__(self, app: ASGIApp, cookie: VisitorCookie) -> None:
        self._app = app
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["type"] != "http" or scope["path"] != "/" or self._known(scope):
            await self._app(scope, receive, send)
            return
        secure = _is_https(scope)

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append(
                    "set-cookie", cookie_header(self._cookie.new(), secure=secure)
                )
            await send(message)

        await self._app(scope, receive, with_cookie)

    def _known(self, scope: Scope) -> bool:
        found = [value for name, value in scope["headers"] if name == b"cookie"]
        try:
            cookies = SimpleCookie("; ".join(value.decode("latin-1") for value in found))
        except CookieError:
            return False
        return COOKIE in cookies and self._cookie.name_in(cookies[COOKIE].value) is not None


def cookie_header(value: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` header; a page on the Hub is framed, which needs ``SameSite=None``."""
    where = "SameSite=None; Secure; Partitioned" if secure else "SameSite=Lax"
    return f"{COOKIE}={value}; Path=/; Max-Age={YEAR}; HttpOnly; {where}"


class Visitors:
    """Identifies visitors from their requests.

    Args:
        secret: the key that cookies are signed with.
        trusted_proxies: networks whose ``X-Forwarded-For`` is believed.
    """

    def __init__(self, secret: str, trusted_proxies: Sequence[str] = ()) -> None:
        self.cookie = VisitorCookie(secret)
        self._trusted = tuple(ipaddress.ip_network(one) for one in trusted_proxies)

    def identify(self, request: Any, profile: Any) -> Visitor:
        """The visitor of a Gradio request and the signed-in profile, where there is one."""
        cookies: Mapping[str, str] = getattr(request, "cookies", None) or {}
        peer = request.client.host if request.client else ""
        host = client_address(peer, request.headers.get("x-forwarded-for", ""), self._trusted)
        address = f"address:{host or 'unknown'} on {datetime.now(UTC):%Y-%m-%d}"
        name = self.cookie.name_in(cookies.get(COOKIE))
        # Without the cookie a visitor is one page load: limits hold by the address, votes do not
        # count, and there is nothing to delete them by afterwards.
        browser = f"browser:{name}" if name else f"page:{request.session_hash}"
        if profile is None:
            return Visitor(browser, address, None, browser)
        account = str(profile.username)
        return Visitor(f"account:{account}", address, account, browser)


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The address that a request came from.

    Args:
        peer: the address of the connection.
        forwarded: the header ``X-Forwarded-For``: each proxy appends the address it was reached
            from, so only what trusted proxies appended can be believed.
        trusted: networks of the trusted proxies.
    """
    chain = [*(part.strip() for part in forwarded[:2_000].split(",") if part.strip()), peer]
    while len(chain) > 1 and _is_in(chain[-1], trusted):
        chain.pop()
    return chain[-1] if _parsed(chain[-1]) else peer


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _is_https(scope: Scope) -> bool:
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return scope.get("scheme") == "https" or b"https" in forwarded
