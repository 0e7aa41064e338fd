"""Datasets on the Hub for evaluation suites: which commit they are at, and how they are read."""

from __future__ import annotations

from huggingface_hub import get_token

from bot.evaluation.dataset_access import DatasetAccess
from bot.hub.client import Hub
from bot.hub.repo_snapshot import take_snapshot


def dataset_access(hub: Hub) -> DatasetAccess:
    """What `bot.evaluation.dataset_access.prepare_suite` needs of a connection to a Hub.

    Looking up a commit raises AccessError for a gated or private dataset that this user may not
    read, and HubError where the Hub is out of reach.
    """
    token = hub.api.token if isinstance(hub.api.token, str) else get_token()
    return DatasetAccess(
        commit_of=lambda repo: take_snapshot(hub, repo, kind="dataset").commit,
        token=token,
        offline=hub.offline,
    )
