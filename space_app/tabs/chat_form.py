"""What the chat tab's inputs hold, read with every bound kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from space_app.chat.chat_backend import Sampling, Turn
from space_app.chat.chat_service import fresh_seed
from space_app.tabs.chat_view import MODES, ONE

LARGEST_SEED = 2**31 - 1
MOST_TOKENS = 1024
LONGEST_KEY = 200
DEFAULT_SETTINGS = ("", 0.7, 0.9, 256, 1, "")
"""System prompt, temperature, top-p, max tokens, repetition penalty, seed."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """The inputs when a message is sent; ``problem`` says what is wrong with them, if anything.

    ``shown`` is how many messages the browser shows: more than the server has where the server
    was restarted.
    """

    mode: str
    message: str
    turns: tuple[tuple[Turn, ...], tuple[Turn, ...]]
    model: str | None
    other: str | None
    system: str
    sampling: Sampling
    token: str | None
    scale: float
    template_sources: tuple[str | None, str | None]
    shown: int = 0
    problem: str | None = None

    @classmethod
    def of(cls, values: Sequence[Any]) -> Form:
        """From the values in the order of the tab's inputs."""
        mode, message, left, right, model, other, system, heat, top, most, *rest = values
        penalty, seed, token, scale, first, second, pane = rest
        chosen = fresh_seed() if seed in (None, "") else _seed(seed)
        problem = None
        if chosen is None:
            problem = (
                f"The seed must be a whole number from 0 to {LARGEST_SEED}, or empty for a random"
                " one."
            )
        sampling = Sampling(
            temperature=_number(heat, 0.0, 2.0, 0.7), top_p=_number(top, 0.05, 1.0, 0.9),
            max_tokens=int(_number(most, 1, MOST_TOKENS, 256)),
            repetition_penalty=_number(penalty, 1.0, 2.0, 1.0), seed=chosen or 0,
        )  # fmt: skip
        return cls(
            mode=mode if mode in MODES else ONE, message=_text(message),
            turns=(_turns(left), _turns(right)), model=_key(model), other=_key(other),
            system=_text(system), sampling=sampling, token=_key(token),
            scale=_number(scale, 0.0, 100.0, 1.0), template_sources=(_key(first), _key(second)),
            shown=len(pane) if isinstance(pane, list) else 0, problem=problem,
        )  # fmt: skip

    @property
    def sides(self) -> int:
        """How many answers are wanted."""
        return 1 if self.mode == ONE else 2

    @property
    def lost(self) -> bool:
        """Whether the browser shows a conversation that the server no longer has."""
        return self.shown > 0 and not self.turns[0]


def _seed(value: Any) -> int | None:
    try:
        number = int(str(value).strip()[:20])
    except ValueError:
        return None
    return number if 0 <= number <= LARGEST_SEED else None


def _number(value: Any, low: float, high: float, default: float) -> float:
    """A number inside its bounds; the default for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return default
    return float(min(max(value, low), high))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _key(value: Any) -> str | None:
    return value[:LONGEST_KEY] if isinstance(value, str) else None


def _turns(value: Any) -> tuple[Turn, ...]:
    return tuple(Turn(*turn) for turn in value or ())
