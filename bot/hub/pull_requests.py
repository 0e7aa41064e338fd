"""Pull requests on the Hub: a bundle for a repository one may not write to."""

from __future__ import annotations

from bot.hub.client import Hub
from bot.hub.hub_errors import explained, may_pass
from bot.hub.upload import Published, Upload


def propose(hub: Hub, bundle: Upload, repo: str) -> Published:
    """Open a pull request with the bundle, or find the one that was opened.

    Raises:
        AccessError, HubError: the Hub refused or is out of reach.
    """
    with explained("open a pull request at", repo, hub.url(repo)):
        found = hub.retry_policy.retrying(lambda: _proposed(hub, bundle, repo))
        if found is None:
            found = hub.retry_policy.retrying(
                lambda: _proposed(hub, bundle, repo) or _open(hub, bundle, repo), on=may_pass
            )
            return _as_proposal(hub, repo, found, fresh=True)
    return _as_proposal(hub, repo, found, fresh=False)


def _proposed(hub: Hub, bundle: Upload, repo: str) -> tuple[str, str] | None:
    """Revision and address of the open pull request with this bundle."""
    for thread in hub.api.get_repo_discussions(repo, discussion_type="pull_request"):
        if thread.title == bundle.summary and thread.status in {"open", "draft"}:
            return f"refs/pr/{thread.num}", f"{hub.url(repo)}/discussions/{thread.num}"
    return None


def _open(hub: Hub, bundle: Upload, repo: str) -> tuple[str, str]:
    made = hub.api.create_commit(
        repo,
        bundle.operations(),
        commit_message=bundle.summary,
        commit_description=bundle.description,
        create_pr=True,
    )
    return str(made.pr_revision), str(made.pr_url)


def _as_proposal(hub: Hub, repo: str, found: tuple[str, str], *, fresh: bool) -> Published:
    revision, address = found
    with explained("look up", repo, hub.url(repo)):
        info = hub.retry_policy.retrying(lambda: hub.api.model_info(repo, revision=revision))
    return Published(
        repo=repo, commit=info.sha or revision, url=hub.url(repo), fresh=fresh, pull_request=address
    )


def close_proposals(hub: Hub, repo: str, title: str, comment: str) -> int:
    """Say something on our open pull requests of this title and close them; how many there were."""
    with explained("close pull requests of", repo, hub.url(repo)):
        threads = list(hub.api.get_repo_discussions(repo, discussion_type="pull_request"))
        unsettled = [one for one in threads if one.status in {"open", "draft"}]
        ours = [one.num for one in unsettled if one.title == title]
        for number in ours:
            hub.api.change_discussion_status(repo, number, new_status="closed", comment=comment)
    return len(ours)
