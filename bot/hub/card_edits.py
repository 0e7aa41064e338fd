"""Changes to the card of a published model: a newer version, a retraction."""

from __future__ import annotations

from collections.abc import Callable

from huggingface_hub import CommitOperationAdd, ModelCard

from bot.errors import PublishError
from bot.events import silent
from bot.hub.client import Hub
from bot.hub.download import fetch
from bot.hub.file_list import FILE_LIST, dump_file_list, parse_file_list, sha256_of
from bot.hub.hub_errors import explained, may_pass
from bot.hub.repo_snapshot import take_snapshot

CARD = "README.md"


def edit_card(hub: Hub, repo: str, summary: str, change: Callable[[str], str]) -> str:
    """Change a model's card in one commit on the card that was read; the same text changes nothing.

    Returns:
        The commit the repository is at.

    Raises:
        PublishError: the repository has no card.
        AccessError, HubError: the Hub refused or is out of reach.
    """
    with explained("change the card of", repo, hub.url(repo)):
        return hub.retry_policy.retrying(lambda: _edit(hub, repo, summary, change), on=may_pass)


def set_new_version(hub: Hub, repo: str, newer: str) -> str:
    """Point a superseded model's page to the one that takes its place.

    Raises:
        As `edit_card`.
    """

    def pointing(text: str) -> str:
        card = ModelCard(text, ignore_metadata_errors=True)
        card.data["new_version"] = newer
        return str(card)

    return edit_card(hub, repo, f"Superseded by {newer}", pointing)


def _edit(hub: Hub, repo: str, summary: str, change: Callable[[str], str]) -> str:
    snapshot = take_snapshot(hub, repo)
    if CARD not in snapshot.files:
        raise PublishError(f"{repo} has no card to change", hint=f"look at {hub.url(repo)}")
    text = (fetch(hub, snapshot, [CARD], silent) / CARD).read_text("utf-8")
    changed = change(text)
    if changed == text:
        return snapshot.commit
    files = {CARD: changed.encode()}
    if FILE_LIST in snapshot.files:
        kept = (fetch(hub, snapshot, [FILE_LIST], silent) / FILE_LIST).read_bytes()
        listed = parse_file_list(kept, f"{FILE_LIST} of {repo}")
        files[FILE_LIST] = dump_file_list({**listed, CARD: sha256_of(files[CARD])})
    operations = [
        CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in files.items()
    ]
    made = hub.api.create_commit(
        repo, operations, commit_message=summary, parent_commit=snapshot.commit
    )
    return str(made.oid)
