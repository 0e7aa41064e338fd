"""The stage ``preflight``: what would fail after the merge fails before it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.lineage.dry_run import DryRun, dry_run
from bot.lineage.publish_policy import require_known_parents
from bot.pipeline.json_formats import PREFLIGHT, read_document, write_document
from bot.pipeline.record_stages import begun
from bot.pipeline.run_folder import RunFolder

if TYPE_CHECKING:
    from bot.pipeline.publishing import Operator

PREFLIGHT_FILE = "preflight.json"


@dataclass(frozen=True)
class PreflightStage:
    """The record, the card and the publication of a run are built before its merge.

    What a record will say is known by then but for scores: names, licenses, lineage, sizes.
    """

    name: str = "preflight"
    needs: tuple[str, ...] = ("plan",)
    events: tuple[str, ...] = ()

    def key(self, run: RunFolder) -> str:
        """The run key."""
        return run.run_key

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """What was tried."""
        return (run.folder / PREFLIGHT_FILE,)

    def is_done(self, run: RunFolder) -> bool:
        """Whether the run was tried for the same publication, or has a record already."""
        if run.run_key in run.board:
            return True
        return read_document(run.folder / PREFLIGHT_FILE, PREFLIGHT) == _tried(run)

    def execute(self, run: RunFolder) -> None:
        """Build the record and the card; where the run is published, ask whether it can be.

        Raises:
            RecordError: the record could not be written.
            LicenseError, PublishError: the run must not be published as it is.
            AccessError, HubError: the Hub refused or is out of reach.
        """
        tried = dry_run(begun(run), run.plan, card_of=run.tools.card_of)
        publish = run.settings.publish
        if publish is not None:
            name = tried.record.name
            tried.require_publishable(name)
            require_known_parents(tried.record, allow_local=publish.allow_local_parents)
            if run.tools.operator is not None:
                _ask_hub(run.tools.operator(run.settings), tried)
        write_document(run.folder / PREFLIGHT_FILE, PREFLIGHT, _tried(run))


def _tried(run: RunFolder) -> dict[str, object]:
    publish = run.settings.publish
    return {"run_key": run.run_key, "publish": None if publish is None else asdict(publish)}


def _ask_hub(operator: Operator, tried: DryRun) -> None:
    """Make sure that the name is free, unless the files are only proposed."""
    from bot.hub.publish_model import require_free

    if not operator.create_pr:
        place = f"{operator.organisation}/{tried.record.name}"
        require_free(operator.hub, place, tried.record.merge_key)
