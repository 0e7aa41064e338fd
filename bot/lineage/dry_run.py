"""The record and card of a run, built before its merge from what is known by then.

Everything that a record is made of except scores comes from the recipe and the parents. Building it
once before any work shows what would fail after hours of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.checkpoint.untrusted_json import parse_object
from bot.errors import MergebotError, RecordError
from bot.lineage.ancestry import CardOf, no_cards
from bot.lineage.build_record import RunContext, build_record
from bot.lineage.front_matter import NOWHERE, Page
from bot.lineage.model_card import render_card
from bot.lineage.publish_policy import require_publishable
from bot.plan.merge_plan import Plan
from leaderboard.board_errors import BoardError
from leaderboard.record import Record, dump_record, parse_record

NO_DIGEST = "0" * 64


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """A run's record as far as it is known before the merge."""

    record: Record

    def faults(self, name: str) -> Sequence[MergebotError]:
        """Why a repository of this name could not be published, whatever the scores will be."""
        try:
            require_publishable(self.record, name)
        except MergebotError as refused:
            return (refused,)
        return ()

    def require_publishable(self, name: str) -> None:
        """Refuse before any work what could not be published after it.

        Raises:
            LicenseError: the licenses are unknown, conflict, or ask for another name.
        """
        for fault in self.faults(name):
            raise fault


def dry_run(
    context: RunContext, plan: Plan, *, card_of: CardOf = no_cards, page: Page = NOWHERE
) -> DryRun:
    """Build the record and the card of a run that has not been merged.

    Raises:
        RecordError: the record could not be written after the merge; says which field.
    """
    config = parse_object(plan.files["config.json"], "config.json of the merge", _HINT)
    known = replace(
        context, plan=plan, config=config, model_digest=NO_DIGEST, failure=None, card_of=card_of
    )
    try:
        record = build_record(known)
        text = dump_record(record)
        text.encode()
        parse_record(text)
        render_card(record, page).encode()
    except BoardError as wrong:
        raise RecordError(wrong.message, hint=_HINT) from wrong
    except ValueError as wrong:  # pydantic's, and text that cannot be encoded
        message = f"the record of {context.name} could not be written: {wrong}"
        raise RecordError(message, hint=_HINT) from wrong
    return DryRun(record=record)


_HINT = "shorten or correct the names in the recipe and the parents' cards"
