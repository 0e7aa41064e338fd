"""Votes count from accounts that are known to be old enough."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huggingface_hub import HfApi

from space_app.votes.account_age import HubAccounts, profile_created, uncounted

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ("2020-05-01T10:00:00.000Z", None),
        ("2026-10-24T12:00:00Z", None),
        ("2026-10-24T12:00:01Z", "younger than 30 days"),
        ("2026-10-24T14:30:00+02:00", "younger than 30 days"),
        ("2020-05-01", None),
        ("long ago", "does not say how old"),
        (1588327200, "does not say how old"),
        (None, "does not say how old"),
    ],
)
def test_an_account_counts_after_thirty_days(made: object, why: str | None) -> None:
    found = uncounted({"preferred_username": "ada", "createdAt": made}, profile_created, NOW)
    assert found is None if why is None else why in str(found)


def test_nobody_counts_without_signing_in() -> None:
    assert uncounted(None, profile_created, NOW) == "not signed in"


class Users(BaseHTTPRequestHandler):
    """Answers like the Hub's overview of a user."""

    ANSWERS = {  # noqa: RUF012 - read only
        "/api/users/ada/overview": {"user": "ada", "createdAt": "2021-01-01T00:00:00.000Z"},
        "/api/users/silent/overview": {"user": "silent"},
        "/api/users/list/overview": [],
    }

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]  # set by the fixture
        answer = self.ANSWERS.get(self.path)
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"error": "none"} if answer is None else answer).encode())

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


class UserServer(HTTPServer):
    """A Hub that knows users only, and what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Users)
        self.asked: list[str] = []


@pytest.fixture
def users() -> Iterator[UserServer]:
    server = UserServer()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def accounts(users: UserServer) -> HubAccounts:
    return HubAccounts(HfApi(endpoint=f"http://127.0.0.1:{users.server_port}", token=False))


def test_the_hub_is_asked_once_where_the_profile_is_silent(users: UserServer) -> None:
    found = accounts(users)
    for _ in range(3):
        assert found.account_created({"preferred_username": "ada"}) == datetime(
            2021, 1, 1, tzinfo=UTC
        )
    assert users.asked == ["/api/users/ada/overview"]


@pytest.mark.parametrize("name", ["silent", "nobody", "list"])
def test_an_age_that_the_hub_does_not_tell_is_unknown(name: str, users: UserServer) -> None:
    assert accounts(users).account_created({"preferred_username": name}) is None


def test_a_hub_out_of_reach_leaves_the_age_unknown() -> None:
    away = HubAccounts(HfApi(endpoint="http://127.0.0.1:9", token=False))
    assert away.account_created({"preferred_username": "ada"}) is None
