"""Connections to the Hub for commands: opened when a recipe or a model first needs one."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.cli.options import ByteSize
from bot.events import Report
from bot.lineage.resolved_parent import ResolvedParent
from bot.pipeline.open_parents import HubResolver
from bot.recipe.model_reference import hub_id_fault
from bot.recipe.recipe import ModelRef
from bot.recipe.recipe_lock import LockedCard

if TYPE_CHECKING:
    from bot.checkpoint.file_digests import FileDigests
    from bot.hub.client import Hub
    from bot.lineage.ancestry import CardOf


def the_hub(*, offline: bool | None = None) -> Hub:
    """The Hub that the environment names, as its user."""
    from bot.hub.client import connect, draw_no_bars

    draw_no_bars()
    logging.getLogger("stamina").setLevel(logging.ERROR)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    limit = os.environ.get("MERGEBOT_HUB_CACHE_LIMIT")
    size = ByteSize().convert(limit, None, None) if limit else None
    return connect(offline=offline, cache_limit=size)


def fetching(*, offline: bool | None = None, digests: FileDigests | None = None) -> HubResolver:
    """Parents on the Hub are fetched; ``digests`` are of files that were hashed before."""

    def make() -> HubResolver:
        from bot.hub.hub_parents import DownloadResolver

        return DownloadResolver(the_hub(offline=offline), digests)

    return _late(make)


def planning() -> HubResolver:
    """Parents on the Hub are looked at by their headers."""

    def make() -> HubResolver:
        from bot.hub.hub_parents import HeaderResolver

        return HeaderResolver(the_hub())

    return _late(make)


def ancestors() -> CardOf:
    """Looks up the cards of ancestors on the Hub."""

    def card_of(model: str) -> LockedCard | None:
        from bot.hub.repo_snapshot import card_of as look_up

        return None if hub_id_fault(model) else look_up(the_hub(), model)

    return card_of


def _late(make: Callable[[], HubResolver]) -> HubResolver:
    """A resolver made at its first use, so that a local recipe never loads the client."""
    made: list[HubResolver] = []

    def resolve(ref: ModelRef, report: Report) -> ResolvedParent:
        if not made:
            made.append(make())
        return made[0](ref, report)

    return resolve
