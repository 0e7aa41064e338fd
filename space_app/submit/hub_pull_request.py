"""A pull request on a Hub dataset, for those who keep their recipes there."""

from __future__ import annotations

import threading
from typing import Any

from bot.errors import AccessError, HubError


class HubRequests:
    """Opens pull requests in the visitor's name, one per recipe however often it is asked.

    Args:
        repository: the dataset that takes recipes.
        endpoint: the Hub's address, its own default where None.
    """

    def __init__(self, repository: str, *, endpoint: str | None = None) -> None:
        self._repository = repository
        self._endpoint = endpoint
        self._made: dict[str, str] = {}
        self._lock = threading.Lock()

    def open(self, *, path: str, text: str, digest: str, token: str) -> str:
        """The address of the recipe's pull request, an open one where there is one already.

        Raises:
            AccessError: the token does not allow it.
            HubError: the Hub refused or is out of reach.
        """
        with self._lock:
            if digest not in self._made:
                self._made[digest] = self._opened(path, text, digest, token)
            return self._made[digest]

    def _opened(self, path: str, text: str, digest: str, token: str) -> str:
        from huggingface_hub import CommitOperationAdd, HfApi
        from huggingface_hub.errors import HfHubHTTPError

        api = HfApi(endpoint=self._endpoint, token=token)
        title = f"Recipe {digest[:12]}: {path.rsplit('/', 1)[-1]}"
        try:
            if existing := self._existing(api, title):
                return existing
            done = api.create_commit(
                self._repository,
                [CommitOperationAdd(path_in_repo=path, path_or_fileobj=text.encode())],
                repo_type="dataset", commit_message=title, create_pr=True,
            )  # fmt: skip
        except HfHubHTTPError as refused:
            raise _explained(refused, self._repository) from refused
        return str(done.pr_url)

    def _existing(self, api: Any, title: str) -> str | None:
        """The open pull request with this title."""
        for found in api.get_repo_discussions(self._repository, repo_type="dataset"):
            if found.is_pull_request and found.status == "open" and found.title == title:
                return str(found.url)
        return None


def _explained(refused: Any, repository: str) -> HubError:
    status = refused.response.status_code if refused.response is not None else None
    if status in {401, 403}:
        return AccessError(
            f"the Hub does not let this account open a pull request on {repository}",
            hint="sign in again and allow contributions, or use the GitHub link",
        )
    return HubError(
        f"the Hub refused the pull request on {repository} ({status or 'no answer'})",
        hint="try again in a minute; the recipe stays in the box",
    )
