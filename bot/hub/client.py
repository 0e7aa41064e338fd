"""One connection to a Hub: the client, who it speaks for, and where its files are kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx2 as httpx
from huggingface_hub import HfApi, set_client_factory
from huggingface_hub.utils.tqdm import disable_progress_bars

from bot import __version__
from bot.hub.hub_cache import Cache
from bot.hub.retry import RetryPolicy

DEFAULT_CACHE = "~/.cache/mergebot/hub"
CONNECT_SECONDS, READ_SECONDS = 20.0, 120.0


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A Hub to read from and write to.

    Args:
        api: the client, with its endpoint and token.
        cache: fetched files, by repository and commit.
        offline: use the cache only.
        retry_policy: how long to go on after failures that may pass.
    """

    api: HfApi
    cache: Cache
    offline: bool = False
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def endpoint(self) -> str:
        """``https://huggingface.co``, or another Hub."""
        return str(self.api.endpoint)

    def url(self, repo: str, kind: str = "model") -> str:
        """The page of a repository."""
        prefix = "" if kind == "model" else f"{kind}s/"
        return f"{self.endpoint}/{prefix}{repo}"


def connect(
    *,
    endpoint: str | None = None,
    token: str | None = None,
    cache: Path | None = None,
    cache_limit: int | None = None,
    offline: bool | None = None,
    retry_policy: RetryPolicy | None = None,
) -> Hub:
    """Open a connection; nothing is sent before the first question.

    Args:
        endpoint: another Hub than the one that ``HF_ENDPOINT`` names.
        token: instead of the one the client finds for each request: trusted publishing
            (``HF_OIDC_RESOURCE``, renewed when it runs out), ``HF_TOKEN``, or the file that
            ``hf auth login`` writes.
        cache: folder for fetched files; ``MERGEBOT_HUB_CACHE`` or ``~/.cache/mergebot/hub``.
        cache_limit: bytes the folder may hold; the longest unused models go first.
        offline: use the cache only; by default what ``HF_HUB_OFFLINE`` says.
        retry_policy: how long to go on after failures that may pass.
    """
    _set_timeouts()
    folder = cache or Path(os.environ.get("MERGEBOT_HUB_CACHE", DEFAULT_CACHE))
    off = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    api = HfApi(
        endpoint=endpoint or os.environ.get("HF_ENDPOINT"),
        token=token,
        library_name="mergebot",
        library_version=__version__,
    )
    return Hub(
        api=api,
        cache=Cache(folder.expanduser(), limit=cache_limit),
        offline=off if offline is None else offline,
        retry_policy=retry_policy or RetryPolicy(),
    )


def draw_no_bars() -> None:
    """Keep the client from drawing on a terminal that has bars of ours."""
    disable_progress_bars()


@cache
def _set_timeouts() -> None:
    """Give every request of the client a deadline; by default plain API calls wait for ever."""
    from huggingface_hub.utils._http import default_client_factory

    def factory() -> httpx.Client:
        client = default_client_factory()
        client.timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        return client

    set_client_factory(factory)
