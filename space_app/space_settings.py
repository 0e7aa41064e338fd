"""Everything the Space is told about the world around it; the rest of the package asks here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leaderboard.board import Row
from leaderboard.record_store import Store
from leaderboard.sample_scores import TaskScores
from space_app.chat.chat_backend import Engine
from space_app.chat.live_merge_backend import LiveMergeBackend
from space_app.chat.rate_limits import Limits
from space_app.votes.vote_eligibility import Joined, stated

SamplesOf = Callable[[str, str], Mapping[str, TaskScores] | None]
"""Per-sample scores by suite digest and model key, None where they are not published.

Raises BoardError where they are published and cannot be read now.
"""
WeightsOf = Callable[[Row], str | None]
"""A folder or a Hub repository with a row's weights, None where they cannot be had."""


def no_samples(_suite: str, _model: str) -> None:
    """Where per-sample scores are not at hand."""
    return


def no_folder(_row: Row) -> None:
    """Where recipes' local paths lead nowhere."""
    return


def published_weights(row: Row) -> str | None:
    """The Hub repository of a row: where a merge was published, or what a parent is called."""
    if row.record:
        return row.record.publication.repo if row.record.publication else None
    if row.parent is None or row.parent.ref.startswith((".", "/")):
        return None
    return row.parent.ref


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What differs between a laptop, a Hub Space and a test.

    ``votes`` is the votes database and ``votes_dataset`` the Hub dataset that keeps a copy;
    ``salt`` makes visitors' names unreadable in both; ``recipes`` is the GitHub
    repository (``owner/name``) that pull requests go to; ``recipes_hub`` the Hub dataset for those
    who keep recipes there; ``recipe_folder`` gives what local paths of a row's recipe are relative
    to; ``share_base`` the address copied links start with; ``memory`` the bytes that chat models
    may use together; ``start_seconds`` how long the start waits for the board, None for as long as
    it takes; ``login`` whether people can sign in with the Hub; ``joined`` since when
    they have been there.
    """

    store: Store
    votes: Path
    salt: str
    votes_dataset: str | None = None
    votes_seconds: float = 60.0
    title: str = "Merge leaderboard"
    suite: str | None = None
    engines: Sequence[Engine] = ()
    slider: LiveMergeBackend | None = None
    samples: SamplesOf = no_samples
    weights: WeightsOf = published_weights
    recipe_folder: Callable[[Row], Path | None] = no_folder
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    recipes: str | None = None
    recipes_hub: str | None = None
    share_base: str | None = None
    memory: int = 8_000_000_000
    limits: Limits = field(default_factory=Limits)
    login: bool = False
    joined: Joined = stated
    start_seconds: float | None = None
    refresh_seconds: float = 60.0
