"""What the tabs share: settings, the live board, the chat service, the votes, the visitors."""

from __future__ import annotations

from dataclasses import dataclass

from space_app.chat.chat_service import ChatService
from space_app.chat.model_cache import ModelCache
from space_app.chat.rescale import Rescaler
from space_app.live_board import LiveBoard
from space_app.space_settings import Settings
from space_app.submit.hub_pull_request import HubRequests
from space_app.visitor import Visitors
from space_app.votes.vote_database import VoteDatabase
from space_app.votes.vote_rounds import BlindVoting
from space_app.votes.votes_dataset import VotesDataset


@dataclass(frozen=True, kw_only=True)
class Context:
    """Built once per process."""

    settings: Settings
    live: LiveBoard
    rescaler: Rescaler
    chat_service: ChatService
    voting: BlindVoting
    visitors: Visitors
    requests: HubRequests | None = None
    votes: VotesDataset | None = None

    @classmethod
    def of(cls, settings: Settings, live: LiveBoard | None = None) -> Context:
        """Open the board and the votes; ``live`` stands in for the board of the settings."""
        database = VoteDatabase(settings.votes)
        live = live or LiveBoard(
            settings.store, suite=settings.suite, start_seconds=settings.start_seconds
        )
        rescaler = Rescaler(settings, lambda: live.current)
        models = ModelCache(tuple(settings.backends), settings.memory)
        return cls(
            settings=settings,
            live=live,
            rescaler=rescaler,
            chat_service=ChatService(models, settings.limits, rescaler),
            requests=HubRequests(settings.recipes_hub) if settings.recipes_hub else None,
            voting=BlindVoting(database, salt=settings.salt),
            visitors=Visitors(settings.salt, settings.trusted_proxies),
            votes=_votes_dataset(settings, database),
        )


def _votes_dataset(settings: Settings, database: VoteDatabase) -> VotesDataset | None:
    if settings.votes_dataset is None:
        return None
    return VotesDataset(database, settings.votes_dataset, settings.votes.with_name("votes"))
