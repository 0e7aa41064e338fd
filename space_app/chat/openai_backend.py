"""A server that speaks the OpenAI protocol: vLLM, llama.cpp, and others."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx

from space_app.chat.chat_backend import ChatModel, Finish, LoadState, Piece, Request, Template
from space_app.chat.repetition import is_looping

REMEMBERED = 30.0
"""Seconds for which the server's list of models is believed."""
FINISH: dict[str, Finish] = {"stop": "end", "length": "length"}
VLLM = "vllm"
"""The owner of models that vLLM lists; of the servers, it alone takes a repetition penalty."""
MOST_MESSAGE = 500
"""Characters of a server's error message that are shown."""


class ServerError(Exception):
    """The server refused a request or broke an answer off; the text is the server's own message."""


class OpenAIBackend:
    """Asks a server for answers; the server holds the models.

    Args:
        base_url: the address up to and with ``/v1``.
        key: sent as a bearer token where there is one.
        client: talks HTTP.
    """

    name = "server"
    accepts_templates = False

    def __init__(
        self, base_url: str, *, key: str | None = None, client: httpx.Client | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._base = base_url.rstrip("/")
        self._client = client or httpx.Client(timeout=httpx.Timeout(120, connect=5))
        self._headers = headers
        self._known: dict[str, str] = {}
        self._until = 0.0

    def offers(self, model: ChatModel) -> bool:
        """Whether the server lists the model under its name or its location."""
        return self._served(model) is not None

    def load(self, model: ChatModel) -> Iterator[LoadState]:
        """Nothing to load: the server has it or not."""
        if self._served(model) is None:
            yield LoadState("failed", f"the server at {self._base} does not serve {model.name}")
        else:
            yield LoadState("ready")

    def is_loaded(self, model: ChatModel) -> bool:
        """Whether the server still lists the model."""
        return self._served(model) is not None

    def unload(self, model: ChatModel) -> None:
        """The server decides what it keeps."""

    def template(self, model: ChatModel) -> Template | None:
        """The server applies the model's own template."""
        ignored = () if self._owner(model) == VLLM else ("repetition penalty",)
        return Template(system=True, ignored=ignored)

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """The server's events as pieces.

        Raises:
            ServerError: the server refused the request, sent an error event, or ended the stream
                before it said why the answer ended.
            httpx.HTTPError: the server cannot be reached or the connection broke.
        """
        path = "/completions" if request.completion else "/chat/completions"
        seen: list[str] = []
        finish: Finish | None = None
        with self._client.stream(
            "POST", self._base + path, json=self._body(request), headers=self._headers
        ) as response:
            if response.status_code >= 400:
                raise ServerError(_refusal(response))
            for event in _events(response):
                if event is DONE:
                    finish = finish or "end"
                    break
                text, reason = _choice(event)
                if reason:
                    finish = FINISH.get(reason, "end")
                if stop.is_set():
                    finish = "stopped"
                    break
                if text:
                    seen.append(text)
                    yield Piece(text)
                if is_looping(seen):
                    finish = "repeating"
                    break
        if finish is None:
            raise ServerError("the server cut the answer off before its end")
        yield Piece("", 0, finish)

    def _owner(self, model: ChatModel) -> str:
        return self._known.get(self._served(model) or "", "")

    def _served(self, model: ChatModel) -> str | None:
        moment = time.monotonic()
        if moment >= self._until:
            self._known, self._until = self._listed(), moment + REMEMBERED
        return next((name for name in (model.location, model.name) if name in self._known), None)

    def _listed(self) -> dict[str, str]:
        """Owners by the names the server lists; empty where it cannot be reached."""
        try:
            answer = self._client.get(self._base + "/models", headers=self._headers)
            answer.raise_for_status()
            return {str(entry["id"]): str(entry.get("owned_by")) for entry in answer.json()["data"]}
        except (httpx.HTTPError, AttributeError, KeyError, TypeError, ValueError):
            return {}

    def _body(self, request: Request) -> dict[str, Any]:
        """The request with the protocol's own arguments; others only where the server has them."""
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._served(request.model) or request.model.location,
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed,
        }
        if self._owner(request.model) == VLLM:
            body["repetition_penalty"] = sampling.repetition_penalty
        if request.completion:
            return body | {"prompt": request.turns[-1].content}
        return body | {"messages": [turn.as_message() for turn in request.turns]}


DONE: dict[str, Any] = {}
"""Stands for the event ``[DONE]``, the last one of a complete stream."""


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream, `DONE` last where the server ended it.

    Raises:
        ServerError: an event reports an error, or is no JSON object.
    """
    for line in response.iter_lines():
        name, _, value = line.partition(":")
        data = value.strip() if name == "data" else ""
        if data == "[DONE]":
            yield DONE
            return
        if not data:
            continue
        try:
            event = json.loads(data)
        except (ValueError, RecursionError) as broken:
            raise ServerError("the server sent an event that cannot be read") from broken
        if not isinstance(event, dict):
            raise ServerError("the server sent an event that cannot be read")
        if event.get("error") or event.get("object") == "error":
            raise ServerError(_message(event) or "the server reported an error without a message")
        yield event


def _choice(event: dict[str, Any]) -> tuple[str, str]:
    """The text of an event and why the answer ended, both empty where it says nothing of it."""
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    if not isinstance(choice, dict):
        return "", ""
    delta = choice.get("delta")
    text = choice.get("text") or (delta.get("content") if isinstance(delta, dict) else "")
    reason = choice.get("finish_reason")
    return text if isinstance(text, str) else "", reason if isinstance(reason, str) else ""


def _refusal(response: httpx.Response) -> str:
    """The server's message for a refused request, else its status."""
    response.read()
    try:
        content = response.json()
    except (ValueError, RecursionError):
        content = response.text
    said = _message(content)
    return said or f"the server answered {response.status_code} {response.reason_phrase}"


def _message(content: Any) -> str:
    """The message of an error in one of the forms that servers use; empty where there is none."""
    for key in ("error", "message", "detail"):
        if isinstance(content, dict) and content.get(key):
            content = content[key]
    text = content if isinstance(content, str) else ""
    return " ".join(text.split())[:MOST_MESSAGE]
