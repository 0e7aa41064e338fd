"""Who may write, and who may see."""

from __future__ import annotations

import os

from huggingface_hub.errors import LocalTokenNotFoundError

from bot.errors import AccessError, PublishError
from bot.hub.client import Hub
from bot.hub.hub_errors import LOGIN, explained


def require_member(hub: Hub, organisation: str) -> None:
    """Make sure before any work that the token may publish there; says nothing about quotas.

    Trusted publishing is for one repository and names no user, so it is not asked.

    Raises:
        AccessError: no token, a token for reading only, or of somebody else.
        HubError: the Hub is out of reach.
    """
    if os.environ.get("HF_OIDC_RESOURCE"):
        return
    with explained("publish as", organisation, hub.url(organisation)):
        try:
            who = hub.retry_policy.retrying(hub.api.whoami)
        except LocalTokenNotFoundError as error:
            message = f"there is no token to publish as {organisation} with"
            raise AccessError(message, hint=f"{LOGIN} write there") from error
    names = {who["name"], *(one["name"] for one in who.get("orgs", []))}
    if organisation not in names:
        message = f"your token is {who['name']}'s, who is not a member of {organisation}"
        raise AccessError(message, hint=f"it may publish as {', '.join(sorted(names))}")
    role = who.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        message = f"your token may only read, and publishing as {organisation} writes"
        raise AccessError(message, hint=f"{LOGIN} write there")


def make_public(hub: Hub, repo: str) -> None:
    """Let everybody see a repository; the last step, once its card is there.

    Raises:
        PublishError: it has no card.
        HubError: the Hub refused or is out of reach.
    """
    with explained("make public", repo, hub.url(repo)):
        info = hub.retry_policy.retrying(lambda: hub.api.model_info(repo))
        if "README.md" not in {entry.rfilename for entry in info.siblings or []}:
            raise PublishError(f"{repo} has no card and stays private", hint="publish it again")
        if info.private:
            hub.retry_policy.retrying(
                lambda: hub.api.update_repo_settings(repo, visibility="public")
            )


def make_private(hub: Hub, repo: str) -> None:
    """Hide a repository; nothing is deleted.

    Raises:
        AccessError, HubError: the Hub refused or is out of reach.
    """
    with explained("make private", repo, hub.url(repo)):
        hub.retry_policy.retrying(lambda: hub.api.update_repo_settings(repo, visibility="private"))
