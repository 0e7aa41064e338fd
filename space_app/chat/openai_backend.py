"""Any server that speaks the OpenAI protocol: vLLM, llama.cpp, and others."""

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


class OpenAIEngine:
    """Asks a server for answers; the server holds the models.

    Args:
        base_url: the address up to and with ``/v1``.
        key: sent as a bearer token where there is one.
        client: talks HTTP.
    """

    name = "server"
    borrows = False

    def __init__(
        self, base_url: str, *, key: str | None = None, client: httpx.Client | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._base = base_url.rstrip("/")
        self._client = client or httpx.Client(timeout=httpx.Timeout(120, connect=5))
        self._headers = headers
        self._known: frozenset[str] = frozenset()
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

    def unload(self, model: ChatModel) -> None:
        """The server decides what it keeps."""

    def template(self, model: ChatModel) -> Template | None:
        """The server applies the model's own template."""
        del model
        return Template(system=True)

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """The server's events as pieces.

        Raises:
            httpx.HTTPError: the server failed or went away.
        """
        path = "/completions" if request.completion else "/chat/completions"
        seen: list[str] = []
        finish: Finish = "end"
        with self._client.stream(
            "POST", self._base + path, json=self._body(request), headers=self._headers
        ) as response:
            response.raise_for_status()
            for event in _events(response):
                choice = (event.get("choices") or [{}])[0]
                finish = FINISH.get(choice.get("finish_reason") or "", finish)
                text = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
                if stop.is_set():
                    finish = "stopped"
                    break
                if text:
                    seen.append(text)
                    yield Piece(text)
                if is_looping(seen):
                    finish = "repeating"
                    break
        yield Piece("", 0, finish)

    def _served(self, model: ChatModel) -> str | None:
        moment = time.monotonic()
        if moment >= self._until:
            self._known, self._until = self._listed(), moment + REMEMBERED
        return next((name for name in (model.location, model.name) if name in self._known), None)

    def _listed(self) -> frozenset[str]:
        """The names the server lists; none where it cannot be reached."""
        try:
            answer = self._client.get(self._base + "/models", headers=self._headers)
            answer.raise_for_status()
            return frozenset(entry["id"] for entry in answer.json()["data"])
        except (httpx.HTTPError, KeyError, TypeError, ValueError):
            return frozenset()

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._served(request.model) or request.model.location,
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed,
            "repetition_penalty": sampling.repetition_penalty,
        }
        if request.completion:
            return body | {"prompt": request.turns[-1].content}
        return body | {"messages": [turn._asdict() for turn in request.turns]}


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data == "[DONE]":
            return
        if data:
            yield json.loads(data)
