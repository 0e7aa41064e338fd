"""Secrets: out of every text that leaves the process, and nothing else taken out."""

from __future__ import annotations

import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.redaction import MASK, Redacted, redact
from tests.cli.commands import run

LETTERS = st.text(string.ascii_letters + string.digits, min_size=24, max_size=60)
WORDS = st.text(string.ascii_lowercase + " .,:\n", max_size=40)


@given(before=WORDS, body=LETTERS, after=WORDS)
def test_tokens_are_known_by_their_shape(before: str, body: str, after: str) -> None:
    for token in (f"hf_{body}", f"ghp_{body}", f"github_pat_{body}", f"hf_jwt_{body}"):
        found = redact(f"{before} {token} {after}", environ={})
        assert token not in found
        assert body not in found
        assert before in found
        assert after in found


@given(before=WORDS, body=LETTERS, host=st.sampled_from(["huggingface.co", "127.0.0.1:8899"]))
def test_headers_and_addresses_lose_their_credentials(before: str, body: str, host: str) -> None:
    for text in (
        f"{before} Authorization: Bearer {body}",
        f"{before} https://user:{body}@{host}/x",
        f"{before} https://{host}/x?X-Amz-Signature={body}&part=1",
        f"{before} eyJ{body}.{body}.{body}",
    ):
        assert body not in redact(text, environ={})


@given(
    secret=st.text(string.printable.strip(), min_size=6, max_size=30),
    before=WORDS,
    after=WORDS,
)
def test_what_the_environment_calls_secret_is_one_whatever_it_looks_like(
    secret: str, before: str, after: str
) -> None:
    found = redact(f"{before}{secret}{after}", environ={"HF_TOKEN": secret})
    assert secret not in found.replace(MASK, "")


@given(st.text(string.ascii_lowercase + string.digits + " /-.\n", max_size=200))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text, environ={"HF_TOKEN": "", "GH_TOKEN": "abc"}) == text


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text, environ={"HF_TOKEN": "hunter2222"})
    assert redact(once, environ={"HF_TOKEN": "hunter2222"}) == once


def test_hashes_and_keys_are_no_secrets() -> None:
    text = "ab" * 32 + " https://huggingface.co/org/model?run=" + "cd" * 32
    assert redact(text, environ={}) == text


def test_a_stream_lets_no_secret_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "very-secret-value")
    inner = io.StringIO()
    stream = Redacted(inner)
    assert stream.write("token very-secret-value here") == 28
    assert inner.getvalue() == f"token {MASK} here"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_command_prints_no_token_in_its_errors(
    flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "very-secret-value")
    done = run("validate", "very-secret-value.yaml", "hf_" + "a" * 30, *flags)
    assert done.code != 0
    assert "very-secret-value" not in done.out + done.err
    assert "a" * 30 not in done.out + done.err
