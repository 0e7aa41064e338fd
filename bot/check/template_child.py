"""The isolated process that renders an untrusted chat template, and nothing else.

``python -m bot.check.template_child request.json``: Jinja's sandbox stops a template from reaching
Python, but not from looping forever or allocating ten gigabytes; the limits of this process do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

from bot.isolation import limit_this_process

MEMORY_BYTES = 2 << 30
CPU_SECONDS = 3
LONGEST_PROMPT = 100_000

FIRST = {"role": "user", "content": "Hello! How are you?"}
CONVERSATIONS = (
    [FIRST],
    [FIRST, {"role": "assistant", "content": "Fine."}, {"role": "user", "content": "And now?"}],
)


def main(arguments: Sequence[str]) -> int:
    """Print as JSON how rendering failed, or null."""
    request = json.loads(Path(arguments[0]).read_text("utf-8"))
    limit_this_process(memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS)
    sys.stdout.write(json.dumps(problem(request["template"], request["tokens"])))
    return 0


def problem(template: str, tokens: dict[str, str]) -> str | None:
    """How rendering fails, None if it does not; the caller's process must be limited."""
    for conversation in CONVERSATIONS:
        try:
            answer = render_jinja_template(
                [conversation], chat_template=template, add_generation_prompt=True, **tokens
            )
        except MemoryError:
            return f"needs more than {MEMORY_BYTES >> 30} GiB of memory"
        except Exception as error:  # noqa: BLE001 (whatever an untrusted template raises)
            return f"{type(error).__name__}: {error}"[:2000]
        prompt = str((answer[0] if isinstance(answer, tuple) else answer)[0])
        if len(prompt) > LONGEST_PROMPT:
            return f"makes {len(prompt)} characters of a conversation of {len(conversation)} turns"
        if any(turn["content"] not in prompt for turn in conversation if turn["role"] == "user"):
            return "leaves out what the user said"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
