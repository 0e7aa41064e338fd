"""The stages ``record``, ``card`` and ``publish``: what is kept and shown of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.checkpoint.disk import write_atomic
from bot.errors import CheckFailedError, NonFiniteError, RecordError, UsageError
from bot.lineage.build_record import RunContext, build_record
from bot.lineage.model_card import render_card
from bot.pipeline import run_state
from bot.pipeline.find_record import board_suite
from bot.pipeline.json_formats import PUBLICATION, read_document, write_document
from bot.pipeline.merge_recipe import MergeResult
from bot.pipeline.merge_stages import kept_checks
from bot.pipeline.run_folder import RunFolder
from bot.pipeline.score_stages import kept_comparison
from bot.redaction import redact
from leaderboard.record import Failure, Publication, Record

if TYPE_CHECKING:
    from bot.pipeline.publishing import PublishResult

CARD_FILE = "README.md"
PUBLICATION_FILE = "publication.json"


@dataclass(frozen=True)
class RecordStage:
    """What was done and found becomes a record on the board, which is written once."""

    name: str = "record"
    needs: tuple[str, ...] = ("compare",)
    events: tuple[str, ...] = ()

    def key(self, run: RunFolder) -> str:
        """The run key."""
        return run.run_key

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """The record's file."""
        return (run.board.records / f"{run.run_key}.json",)

    def is_done(self, run: RunFolder) -> bool:
        """Whether the board has the record and knows of the sweep that chose it."""
        record, sweep = run.recorded(), run.settings.sweep
        if record is None or sweep is None:
            return record is not None
        joined = record.attempts.sweep if record.attempts else None
        return joined is not None and joined.trials >= sweep.trials

    def execute(self, run: RunFolder) -> None:
        """Put the run on the board; of one that is there already, keep which sweep chose it."""
        if run.recorded() is None:
            run.board.add(build_record(_finished(run)))
        elif run.settings.sweep is not None:
            run.board.choose(run.run_key, run.settings.sweep)


def _finished(run: RunFolder) -> RunContext:
    """Everything the record says, read from what the stages left."""
    checks = kept_checks(run.merge_folder, run.model_digest)
    results = kept_comparison(run)
    if checks is None or results is None:
        missing = "check" if checks is None else "compare"
        message = f"the run in {run.folder} lacks what stage {missing} leaves"
        raise RecordError(message, hint=f"mergebot stage {run.folder} {missing}")
    merged = MergeResult(model=run.model, plan=run.plan, made=run.model_digest, lock=run.merge_lock)
    context = run_state.with_merge(begun(run), merged, checks, run.digests)
    context = replace(context, suites=results, card_of=run.tools.card_of)
    return run_state.counted(context, run.board)


def begun(run: RunFolder) -> RunContext:
    """What is known of a run once its parents are pinned, at this moment."""
    return run_state.begin(
        run.recipe,
        run.parents,
        run.suites,
        run.lock,
        run.tools.clock(),
        sweep=run.settings.sweep,
    )


def record_failure(run: RunFolder, stage: str, refused: CheckFailedError | NonFiniteError) -> None:
    """Put a merge that is broken on the board, as an attempt that failed in a stage."""
    if run.run_key in run.board:
        return
    failure = Failure(stage=stage, message=redact(refused.message))
    context = replace(begun(run), failure=failure, card_of=run.tools.card_of)
    run.board.add(build_record(run_state.counted(context, run.board)))


@dataclass(frozen=True)
class CardStage:
    """The record becomes the model's card, which is written again when its text changes."""

    name: str = "card"
    needs: tuple[str, ...] = ("record",)
    events: tuple[str, ...] = ()

    def key(self, run: RunFolder) -> str:
        """The run key."""
        return run.run_key

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """The card, in the model's folder."""
        return (run.model / CARD_FILE,)

    def is_done(self, run: RunFolder) -> bool:
        """Whether the card says what it would say now."""
        (card,) = self.leaves(run)
        return card.is_file() and card.read_bytes() == _card(run)

    def execute(self, run: RunFolder) -> None:
        """Write the card."""
        (card,) = self.leaves(run)
        write_atomic(card, _card(run))


def _card(run: RunFolder) -> bytes:
    return render_card(run_record(run), required=board_suite(run.workspace)).encode()


def run_record(run: RunFolder) -> Record:
    """The run's record with what came later. Raises RecordError where there is none."""
    run.recorded()  # names a record that is broken or of a failed run
    return run.board.get(run.run_key)


@dataclass(frozen=True)
class PublishStage:
    """The run goes to the Hub, where it was asked for. Doing it twice changes nothing there."""

    name: str = "publish"
    needs: tuple[str, ...] = ("card",)
    events: tuple[str, ...] = ("publish",)

    def key(self, run: RunFolder) -> str:
        """The run key."""
        return run.run_key

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """Where the run was published, or why it was not."""
        return (run.folder / PUBLICATION_FILE,)

    def is_done(self, run: RunFolder) -> bool:
        """Only the Hub knows, so the stage always asks it; it is done where nobody asked for it."""
        return run.settings.publish is None

    def execute(self, run: RunFolder) -> None:
        """Publish under the operator's policy.

        Raises:
            PublishError, LicenseError: the run must not be published.
            AccessError, HubError: the Hub refused or is out of reach; a second try goes on.
        """
        if run.tools.operator is None:
            raise UsageError("this process may not publish", hint="use `mergebot publish`")
        from bot.pipeline.publishing import announce

        operator = run.tools.operator(run.settings)
        done = announce(run_record(run), run.workspace, operator, run.report)
        publication = done.publication
        content = {
            "run_key": run.run_key,
            "publication": None if publication is None else publication.model_dump(mode="json"),
            "fresh": done.fresh,
            "dataset": done.dataset,
            "pull_request": done.pull_request,
            "reason": done.reason,
        }
        write_document(run.folder / PUBLICATION_FILE, PUBLICATION, content)


def left_publication(run: RunFolder) -> PublishResult | None:
    """Where the run was published, as its stage left it; None where it was not asked for."""
    kept = read_document(run.folder / PUBLICATION_FILE, PUBLICATION)
    if run.settings.publish is None or kept is None:
        return None
    from bot.pipeline.publishing import PublishResult

    publication = kept["publication"]
    return PublishResult(
        publication=publication and Publication.model_validate(publication),
        fresh=kept["fresh"],
        dataset=kept["dataset"],
        pull_request=kept["pull_request"],
        reason=kept["reason"],
    )
