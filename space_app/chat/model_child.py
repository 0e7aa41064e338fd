"""The isolated process that holds one untrusted model: loads it, then answers over pipes.

``python -m space_app.chat.model_child request.json``. Requests arrive as JSON lines on the standard
input and answers leave as JSON lines on the standard output:

===================  =========================================================
request              answers
===================  =========================================================
(at the start)       ``ready`` with ``template`` (it has one), or ``failed``
``system``           ``system`` with ``written`` (a system prompt is written)
``answer``           ``piece``…, then ``end`` or ``error``
``stop``             none; the running answer ends
===================  =========================================================
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from space_app.chat.chat_backend import Sampling
from space_app.chat.generation import LoadedModel, first_line

LONGEST_TEXT = 100_000
"""Characters of one message to the parent."""


def main(arguments: Sequence[str]) -> int:
    """Load the model that the request file names and serve until the input ends."""
    request = json.loads(Path(arguments[0]).read_text("utf-8"))
    # What libraries print must not mix with the protocol.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stop = threading.Event()
    requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, stop), daemon=True).start()
    try:
        model = LoadedModel(Path(request["folder"]), request["device"])
    except Exception as failure:  # noqa: BLE001 - an untrusted checkpoint may fail in any way
        _say(output, kind="failed", message=first_line(failure))
        return 0
    _say(output, kind="ready", template=model.has_template())
    while (asked := requests.get()) is not None:
        if asked["kind"] == "system":
            _say(output, kind="system", written=model.writes_system(asked["template"]))
        elif asked["kind"] == "answer":
            _answer(model, asked, output, stop)
    return 0


def _read(requests: queue.SimpleQueue[dict[str, Any] | None], stop: threading.Event) -> None:
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        if asked["kind"] == "stop":
            stop.set()
            continue
        if asked["kind"] == "answer":
            stop.clear()
        requests.put(asked)
    requests.put(None)


def _answer(
    model: LoadedModel, asked: Mapping[str, Any], output: IO[str], stop: threading.Event
) -> None:
    try:
        for piece in model.answer(
            asked["messages"], Sampling(**asked["sampling"]), asked["template"], stop,
            completion=asked["completion"],
        ):  # fmt: skip
            kind = "piece" if piece.finish is None else "end"
            _say(output, kind=kind, text=piece.text, tokens=piece.tokens, finish=piece.finish)
    except Exception as failure:  # noqa: BLE001 - shown to the visitor in place of the answer
        _say(output, kind="error", message=first_line(failure))


def _say(output: IO[str], **message: Any) -> None:
    for name in ("message", "text"):
        if name in message:
            message[name] = message[name][:LONGEST_TEXT]
    output.write(json.dumps(message) + "\n")
    output.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
