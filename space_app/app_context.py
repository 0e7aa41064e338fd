"""What the tabs share: settings, the live board, the chat's desk, the votes."""

from __future__ import annotations

from dataclasses import dataclass

from space_app.chat.chat_service import ChatService
from space_app.chat.model_cache import ModelCache
from space_app.live_board import LiveBoard
from space_app.space_settings import Settings
from space_app.submit.hub_pull_request import HubRequests
from space_app.votes.vote_database import VoteDatabase
from space_app.votes.vote_rounds import BlindVoting
from space_app.votes.votes_dataset import VotesDataset


@dataclass(frozen=True, kw_only=True)
class Context:
    """Made once per process."""

    settings: Settings
    live: LiveBoard
    desk: ChatService
    booth: BlindVoting
    requests: HubRequests | None
    votes: VotesDataset | None = None

    @classmethod
    def of(cls, settings: Settings) -> Context:
        """Open the board and the votes."""
        database = VoteDatabase(settings.votes)
        residents = ModelCache(tuple(settings.engines), settings.memory)
        return cls(
            settings=settings,
            live=LiveBoard(settings.store, suite=settings.suite, patience=settings.start_seconds),
            desk=ChatService(residents, settings.limits),
            requests=HubRequests(settings.recipes_hub) if settings.recipes_hub else None,
            booth=BlindVoting(database, salt=settings.salt),
            votes=_votes_dataset(settings, database),
        )


def _votes_dataset(settings: Settings, database: VoteDatabase) -> VotesDataset | None:
    if settings.votes_dataset is None:
        return None
    return VotesDataset(database, settings.votes_dataset, settings.votes.with_name("votes"))
