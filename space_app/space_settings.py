"""What differs between a laptop, a deployed Space and a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from leaderboard.board import Row
from leaderboard.record_store import Store
from leaderboard.sample_scores import TaskScores
from space_app.chat.chat_backend import ChatBackend
from space_app.chat.live_merge_backend import LiveMergeBackend
from space_app.chat.rate_limits import Limits
from space_app.votes.account_age import Joined, profile_created

SamplesOf = Callable[[str, str], Mapping[str, TaskScores] | None]
"""Per-sample scores by suite digest and model key, None where they are not published.

Raises BoardError where they are published and cannot be read now.
"""


class Weights(NamedTuple):
    """A folder, or a Hub repository and the commit that the record names."""

    location: str
    revision: str | None = None


WeightsOf = Callable[[Row], Weights | None]
"""Where a row's weights are; None where they cannot be had."""


def no_samples(_suite: str, _model: str) -> None:
    """For boards without per-sample scores."""
    return


def no_folder(_row: Row) -> None:
    """For boards whose recipes have no folder on this machine."""
    return


def published_weights(row: Row) -> Weights | None:
    """The Hub repository and commit of a row: its publication, or a parent's pin."""
    if row.record:
        published = row.record.publication
        return Weights(published.repo, published.commit) if published else None
    if row.parent is None or row.parent.ref.startswith((".", "/")):
        return None
    return Weights(row.parent.ref, row.parent.revision)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one Space.

    Args:
        store: the records.
        votes: the file of the votes database.
        salt: part of every visitor's hash, and the key of the visitor cookie.
        votes_dataset: the Hub dataset that keeps a copy of the votes.
        votes_seconds: how often that is brought up to date.
        title: the page's title.
        suite: the suite to rank by.
        backends: what generates text for the chat.
        live_merge: what makes merges again at another scale.
        samples: per-sample scores.
        weights: where a row's weights are.
        recipe_folder: what local paths of a row's recipe are relative to.
        examples: prompts to start with, by suite.
        recipes: the GitHub repository (``owner/name``) that takes recipes.
        recipes_hub: the Hub dataset that takes recipes.
        share_base: the address that copied links start with.
        memory: bytes that chat models may use together.
        limits: what the chat accepts.
        trusted_proxies: networks whose ``X-Forwarded-For`` is believed.
        login: whether people can sign in with the Hub.
        account_created: when the account of a signed-in profile was created.
        start_seconds: how long the start waits for the board, None for as long as it takes.
        refresh_seconds: how often the board is read again.
    """

    store: Store
    votes: Path
    salt: str
    votes_dataset: str | None = None
    votes_seconds: float = 60.0
    title: str = "Merge leaderboard"
    suite: str | None = None
    backends: Sequence[ChatBackend] = ()
    live_merge: LiveMergeBackend | None = None
    samples: SamplesOf = no_samples
    weights: WeightsOf = published_weights
    recipe_folder: Callable[[Row], Path | None] = no_folder
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    recipes: str | None = None
    recipes_hub: str | None = None
    share_base: str | None = None
    memory: int = 8_000_000_000
    limits: Limits = field(default_factory=Limits)
    trusted_proxies: Sequence[str] = ()
    login: bool = False
    account_created: Joined = profile_created
    start_seconds: float | None = None
    refresh_seconds: float = 60.0
