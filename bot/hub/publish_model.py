"""A finished merge into a repository: shards first, then one commit, public last.

A commit carries the keys of the run that made it, so a second publish of the same run finds it and
changes nothing, also where the answer to the first commit was lost on its way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from huggingface_hub.errors import RepositoryNotFoundError

from bot.errors import HubError, PublishError
from bot.events import Event, Report
from bot.hub.client import Hub
from bot.hub.hub_errors import AGAIN, explained, may_pass
from bot.hub.pull_requests import propose
from bot.hub.repo_snapshot import require_hub_id
from bot.hub.upload import Published, Upload

KEYS = re.compile(r"^(Run-Key|Merge-Key): (\S{4,128})$", re.MULTILINE)
UNTOUCHED = frozenset({".gitattributes", "README.md"})
"""What a repository holds that was made, on the website too, and never filled."""


@dataclass(frozen=True, kw_only=True)
class _State:
    """A repository as it is now: its head, its files, and the runs it holds by key."""

    head: str
    files: frozenset[str]
    commits: Mapping[str, str]
    merges: frozenset[str]


def publish(
    hub: Hub, bundle: Upload, repo: str, report: Report, *, create_pr: bool = False
) -> Published:
    """Put a bundle into a repository that is ours, or new; a new one is private at first.

    Args:
        hub: where to.
        bundle: what.
        repo: ``org/name``.
        report: progress.
        create_pr: open a pull request in a repository one may not write to.

    Raises:
        PublishError: the name belongs to something else, or what arrived is not what was sent.
        AccessError: the token may not write there.
        HubError: the Hub refused or is out of reach; a second publish goes on.
    """
    require_hub_id(repo)
    if create_pr:
        return propose(hub, bundle, repo)
    state = _look(hub, repo) or _create(hub, repo)
    _require_ours(hub, bundle.merge_key, repo, state)
    report(Event("publish", "start", "files", 0, len(bundle.files), repo))
    fresh = bundle.run_key not in state.commits
    with explained("publish to", repo, hub.url(repo)):
        seen = iter([state])
        commit = hub.retry_policy.retrying(
            lambda: _commit(hub, bundle, repo, next(seen, None) or _look(hub, repo)), on=may_pass
        )
    report(Event("publish", "end", "files", len(bundle.files), len(bundle.files), repo))
    return Published(repo=repo, commit=commit, url=hub.url(repo), fresh=fresh)


def _look(hub: Hub, repo: str) -> _State | None:
    """The repository as it is, None when there is none."""
    with explained("look up", repo, hub.url(repo)):
        try:
            info = hub.retry_policy.retrying(lambda: hub.api.model_info(repo))
            history = hub.retry_policy.retrying(lambda: hub.api.list_repo_commits(repo))
        except RepositoryNotFoundError:
            return None
    commits: dict[str, str] = {}
    merges = set()
    for commit in reversed(history):
        keys = dict(KEYS.findall(commit.message))
        if "Run-Key" in keys:
            commits.setdefault(keys["Run-Key"], commit.commit_id)
            merges.add(keys.get("Merge-Key", ""))
    return _State(
        head=info.sha or "",
        files=frozenset(entry.rfilename for entry in info.siblings or []),
        commits=commits,
        merges=frozenset(merges),
    )


def _create(hub: Hub, repo: str) -> _State:
    with explained("create", repo, hub.url(repo)):
        hub.retry_policy.retrying(
            lambda: hub.api.create_repo(repo, visibility="private", exist_ok=True)
        )
    state = _look(hub, repo)
    if state is None:
        raise HubError(f"{repo} was created and cannot be seen", hint=AGAIN)
    return state


def require_free(hub: Hub, repo: str, merge_key: str) -> None:
    """Make sure before any work that a merge may be published under a name.

    Raises:
        PublishError: the repository holds something else.
        AccessError, HubError: the Hub refused or is out of reach.
    """
    require_hub_id(repo)
    state = _look(hub, repo)
    if state is not None:
        _require_ours(hub, merge_key, repo, state)


def _require_ours(hub: Hub, merge_key: str, repo: str, state: _State) -> None:
    if merge_key in state.merges or not state.files - UNTOUCHED:
        return
    what = "another merge" if state.merges else "something else"
    raise PublishError(
        f"{repo} already holds {what}",
        hint=f"look at {hub.url(repo)}, then publish under another name: --repo org/name",
    )


def _commit(hub: Hub, bundle: Upload, repo: str, state: _State | None) -> str:
    """Upload what is not there, then commit once, on the head that was looked at before.

    Returns:
        The commit, also where it was made before.
    """
    if state is None:
        raise PublishError(f"{repo} disappeared while it was published to", hint=AGAIN)
    if bundle.run_key in state.commits:
        return state.commits[bundle.run_key]
    _require_ours(hub, bundle.merge_key, repo, state)
    operations = bundle.operations()
    hub.api.preupload_lfs_files(repo, additions=operations)
    made = hub.api.create_commit(
        repo,
        operations,
        commit_message=bundle.summary,
        commit_description=bundle.description,
        parent_commit=state.head,
    )
    return str(made.oid)


def exists(hub: Hub, repo: str) -> bool:
    """Whether there is such a repository, as far as the token may see."""
    return _look(hub, repo) is not None
