"""Publishing a run: the model's repository, the results dataset, the public page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.errors import AccessError, CheckFailedError, NonFiniteError
from bot.events import Event, Report
from bot.hub.card_edits import edit_card, set_new_version
from bot.hub.client import Hub
from bot.hub.publish_model import exists, publish
from bot.hub.pull_requests import close_proposals
from bot.hub.results_dataset import ResultsDataset
from bot.hub.visibility import make_private, make_public
from bot.lineage.model_card import render_card
from bot.lineage.publish_policy import (
    Policy,
    policy_allows,
    require_known_parents,
    require_publishable,
)
from bot.pipeline.find_record import board_suite
from bot.pipeline.upload_contents import bundle_of, page_of, samples_of
from bot.pipeline.workspace import Workspace
from leaderboard.record import Publication, Record, Retraction
from leaderboard.record_store import FolderStore
from leaderboard.verdict import Verdict, judge

RESULTS = "mergebot-results"


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Whose Hub account a run goes to, and what of it.

    Args:
        hub: the Hub.
        organisation: the user or organisation that owns the repositories.
        policy: which verdicts are published; all others get a row and no repository.
        private: keep repositories and results private.
        create_pr: propose the files to a repository one may not write to.
        results: the results dataset, ``<organisation>/mergebot-results`` by default.
        issues: address of a GitHub repository whose issues take reports on models.
        allow_local_parents: publish merges of local folders too, which nobody else can verify.
    """

    hub: Hub
    organisation: str
    policy: Policy = "all"
    private: bool = False
    create_pr: bool = False
    results: str | None = None
    issues: str | None = None
    allow_local_parents: bool = False

    @property
    def dataset(self) -> ResultsDataset:
        """The results dataset."""
        repo = self.results or f"{self.organisation}/{RESULTS}"
        return ResultsDataset(self.hub, repo, private=self.private)


@dataclass(frozen=True, kw_only=True)
class PublishResult:
    """What became of a run: where it was published, or why it was not."""

    publication: Publication | None
    fresh: bool
    dataset: str
    pull_request: str | None = None
    reason: str = ""


def announce(
    record: Record,
    workspace: Workspace,
    operator: Operator,
    report: Report,
    *,
    repo: str | None = None,
    supersedes: str | None = None,
) -> PublishResult:
    """Publish a run and add it to the results; doing it twice changes nothing.

    The order is what makes a broken attempt harmless: files in a private repository, then the row,
    public last.

    Args:
        record: a run of the workspace's board.
        workspace: where its weights and scores are.
        operator: where to, and under which policy.
        report: progress.
        repo: another name than ``<organisation>/<recipe name>``.
        supersedes: a repository of ours whose page shall point to this one.

    Raises:
        PublishError, LicenseError: it must not be published; it is on no public page then.
        AccessError, HubError: the Hub refused or is out of reach; a second try goes on.
    """
    place = repo or f"{operator.organisation}/{record.name}"
    require_publishable(record, place.rpartition("/")[2])
    require_known_parents(record, allow_local=operator.allow_local_parents)
    add_failures(workspace, operator)
    record = with_attempts_elsewhere(record, workspace, operator)
    if not policy_allows(record, operator.policy, required=board_suite(workspace)):
        return _unpublished(record, workspace, operator)
    hub = operator.hub
    bundle = bundle_of(record, workspace, hub, page_of(hub, place, record, operator.issues))
    done = publish(hub, bundle, place, report, create_pr=operator.create_pr)
    publication = Publication(
        repo=place,
        commit=done.commit,
        url=done.url,
        private=operator.private,
        policy=operator.policy,
    )
    stated = _disclosed(record, workspace).model_copy(update={"publication": publication})
    operator.dataset.add(stated, samples_of(record, workspace))
    # A run that was announced in full may have been hidden since, and stays so.
    if record.publication is None and not operator.private and not operator.create_pr:
        make_public(hub, place)
    if supersedes is not None:
        set_new_version(hub, supersedes, place)
    board = FolderStore(workspace.board)
    if record.publication is None and record.run_key in board:
        board.publish(record.run_key, publication)
    report(Event("publish", "note", item=f"{place} at {done.commit[:12]}"))
    return PublishResult(
        publication=publication,
        fresh=done.fresh,
        dataset=operator.dataset.repo,
        pull_request=done.pull_request,
    )


def _unpublished(record: Record, workspace: Workspace, operator: Operator) -> PublishResult:
    """A row in the results, and no repository."""
    operator.dataset.add(_disclosed(record, workspace), samples_of(record, workspace))
    found = judge(record, required=board_suite(workspace))
    reason = f"{found.words}, and the policy is to publish {operator.policy}"
    if found.verdict is Verdict.IDENTICAL:
        reason = f"{found.words}, and a copy of a parent is published under no policy"
    return PublishResult(
        publication=None, fresh=False, dataset=operator.dataset.repo, reason=reason
    )


def with_attempts_elsewhere(record: Record, workspace: Workspace, operator: Operator) -> Record:
    """The record with the attempts that the results dataset discloses beside those made here."""
    board = FolderStore(workspace.board)
    try:
        known = operator.dataset.load().records
    except AccessError:  # there is no dataset yet; writing to it tells what else may be wrong
        return record
    board.note_attempts_elsewhere(known)
    return board.get(record.run_key) if record.run_key in board else record


def add_failures(workspace: Workspace, operator: Operator) -> int:
    """Add runs that failed to the results, so that every attempt is counted; how many there are."""
    failed = [
        record
        for record in FolderStore(workspace.board).load().records
        if record.status == "failed"
    ]
    if failed:
        operator.dataset.add_all([_disclosed(record, workspace) for record in failed])
    return len(failed)


@contextmanager
def adding_failures(workspace: Workspace, operator: Operator) -> Iterator[None]:
    """Add the run of the block to the results also where it ends as a failed one."""
    try:
        yield
    except (CheckFailedError, NonFiniteError):
        add_failures(workspace, operator)
        raise


def retract(record: Record, retraction: Retraction, operator: Operator) -> None:
    """Take a published run back: hide the model, mark its row, its card and its pull request.

    Hiding comes first, so that whatever fails later the model is out of reach; all of it may be
    done again.

    Raises:
        AccessError, HubError: the Hub refused or is out of reach.
        RecordError: the results do not have the run.
    """
    hub, publication = operator.hub, record.publication
    if publication is not None and not exists(hub, publication.repo):
        publication = None
    if publication is not None:
        make_private(hub, publication.repo)
    operator.dataset.retract(retraction)
    if publication is not None:
        page = page_of(hub, publication.repo, record, operator.issues)
        stated = _plain(record).model_copy(update={"retraction": retraction})
        summary = f"Retract {record.name} (run {record.run_key[:16]})"
        edit_card(hub, publication.repo, summary, lambda _: render_card(stated, page))
        title = f"Publish {record.name} (run {record.run_key[:16]})"
        close_proposals(hub, publication.repo, title, f"Retracted: {retraction.reason}")


def _disclosed(record: Record, workspace: Workspace) -> Record:
    """The record as the results dataset keeps it."""
    return FolderStore(workspace.board).disclosed(_plain(record))


def _plain(record: Record) -> Record:
    """The record as it was written, without what a store joins to it."""
    return record.model_copy(update={"retraction": None})
