"""Who a visitor is: a signed cookie or an account; an address only limits rates."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from space_app.visitor import (
    COOKIE,
    PRIVATE_NETWORKS,
    CookieMiddleware,
    Network,
    VisitorCookie,
    Visitors,
    client_address,
)

PROXIES = tuple(ipaddress.ip_network(one) for one in ("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("203.0.113.9", "198.51.100.1", (), "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", PROXIES, "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", PROXIES, "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", PROXIES, "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.7.7.7", PROXIES, "198.51.100.1"),
        ("10.0.0.1", "", PROXIES, "10.0.0.1"),
        ("10.0.0.1", "<script>", PROXIES, "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1," * 100_000, PROXIES, "1.1.1.1"),
        ("10.0.0.1", "2001:db8::1", PROXIES, "2001:db8::1"),
    ],
)
def test_a_forwarded_address_is_believed_only_from_a_trusted_proxy(
    peer: str, forwarded: str, trusted: tuple[Network, ...], address: str
) -> None:
    assert client_address(peer, forwarded, trusted) == address


def asking(cookies: dict[str, str], **headers: str) -> SimpleNamespace:
    return SimpleNamespace(
        cookies=cookies, headers=headers, client=SimpleNamespace(host="203.0.113.9"),
        session_hash="page1",
    )  # fmt: skip


def test_the_cookie_is_the_identity_and_the_address_is_not() -> None:
    visitors = Visitors("secret", PRIVATE_NETWORKS)
    value = visitors.cookie.new()
    first = visitors.identify(asking({COOKIE: value}), None)
    assert first.name == first.browser == f"browser:{value.partition('.')[0]}"
    assert first.address.startswith("address:203.0.113.9 on 20")
    neighbour = visitors.identify(asking({COOKIE: visitors.cookie.new()}), None)
    assert neighbour.name != first.name
    assert neighbour.address == first.address
    signed_in = visitors.identify(asking({COOKIE: value}), SimpleNamespace(username="ada"))
    assert (signed_in.name, signed_in.account) == ("account:ada", "ada")
    assert signed_in.browser == first.browser


@pytest.mark.parametrize(
    "forged",
    ["", "x", "f" * 32, "f" * 32 + "." + "0" * 32, VisitorCookie("other").new(), "é.é", "." * 9999],
    ids=["empty", "short", "unsigned", "zeros", "other secret", "letters", "dots"],
)
def test_a_cookie_that_was_not_signed_here_is_no_identity(forged: str) -> None:
    visitors = Visitors("secret")
    assert visitors.cookie.name_in(forged) is None
    assert visitors.identify(asking({COOKIE: forged}), None).name == "page:page1"


def app(cookie: VisitorCookie) -> Starlette:
    def page(_request: object) -> PlainTextResponse:
        return PlainTextResponse("page")

    return Starlette(
        routes=[Route("/", page), Route("/config", page)],
        middleware=[Middleware(CookieMiddleware, cookie=cookie)],
    )


@pytest.mark.anyio
async def test_a_page_gives_one_http_only_cookie_and_keeps_it() -> None:
    cookie = VisitorCookie("secret")
    transport = httpx.ASGITransport(app(cookie))
    async with httpx.AsyncClient(transport=transport, base_url="http://space") as client:
        first = await client.get("/")
        header = first.headers["set-cookie"]
        assert "HttpOnly" in header
        assert "SameSite=Lax" in header
        assert cookie.name_in(client.cookies[COOKIE]) is not None
        assert "set-cookie" not in (await client.get("/")).headers
        assert "set-cookie" not in (await client.get("/config")).headers
        framed = await client.get("/", headers={"x-forwarded-proto": "https", "cookie": "a=b"})
        assert "SameSite=None; Secure" in framed.headers["set-cookie"]
        forged = await client.get("/", headers={"cookie": f"{COOKIE}=me.forged"})
        assert COOKIE in forged.headers["set-cookie"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
