"""The deployed Space: its settings come from environment variables.

==========================  ====================================================================
``MERGEBOT_BOARD``          dataset repository with the records, or a folder
``MERGEBOT_RECIPES``        GitHub repository (``owner/name``) that takes recipes
``MERGEBOT_RECIPES_HUB``    Hub dataset that takes recipes as pull requests
``MERGEBOT_SERVER``         OpenAI-compatible server for chat; ``MERGEBOT_SERVER_KEY`` its key
``MERGEBOT_CACHE``          folder for votes and for the board's local copy
``MERGEBOT_VOTES_DATASET``  Hub dataset that keeps the votes; the token must be able to write there
``MERGEBOT_SALT``           secret that is part of every visitor's hash and signs their cookies
``MERGEBOT_TRUSTED_PROXIES``  networks whose ``X-Forwarded-For`` is believed, with commas between;
                              on the Hub its own
``SPACE_ID``                set by the Hub; copied links start at the Space's own page
==========================  ====================================================================
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

from bot.errors import UsageError
from leaderboard.record_store import FolderStore, Store
from space_app.build_app import Space
from space_app.chat.chat_backend import ChatBackend
from space_app.chat.live_merge_backend import registered_live_merge
from space_app.chat.memory_budget import free_memory
from space_app.chat.openai_backend import OpenAIBackend
from space_app.chat.transformers_backend import TransformersBackend
from space_app.chat.zero_gpu_backend import ZeroGpuBackend, on_zero_gpu
from space_app.space_settings import SamplesOf, Settings, no_samples
from space_app.visitor import PRIVATE_NETWORKS
from space_app.votes.account_age import HubAccounts

START_SECONDS = 2.0
VOTES_DATASET = "MERGEBOT_VOTES_DATASET"
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MERGEBOT_SERVER_KEY", "MERGEBOT_SALT",
           VOTES_DATASET)  # fmt: skip
"""What a Space on ZeroGPU must not have; storing votes needs a token that may write."""
EXAMPLES = Path(__file__).with_name("examples.json")
"""Prompts by suite, written beside this file when the Space is deployed."""


def backends(server: str | None, key: str | None = None) -> tuple[ChatBackend, ...]:
    """A server where there is one, and transformers on this machine for everything else."""
    local = ZeroGpuBackend() if on_zero_gpu() else TransformersBackend()
    return (OpenAIBackend(server, key=key), local) if server else (local,)


def settings_from(environment: Mapping[str, str], *, zero_gpu: bool = False) -> Settings:
    """The settings that the environment describes.

    Raises:
        UsageError: it lacks a secret that it needs, or holds one where untrusted models run in the
            same process.
    """
    if zero_gpu:
        _refuse_secrets(environment)
    cache = Path(environment.get("MERGEBOT_CACHE", "cache"))
    space_id = environment.get("SPACE_ID")
    votes_dataset, salt = environment.get(VOTES_DATASET) or None, environment.get("MERGEBOT_SALT")
    if votes_dataset and not salt:
        raise UsageError(
            f"{VOTES_DATASET} needs the secret MERGEBOT_SALT: without it nobody could delete their"
            " votes after a restart",
            hint="set MERGEBOT_SALT in the Space's settings to a long random word, for good",
        )
    examples = json.loads(EXAMPLES.read_text("utf-8")) if EXAMPLES.exists() else {}
    board = environment.get("MERGEBOT_BOARD", "board")
    store, samples = _store(board, cache)
    return Settings(
        store=store,
        samples=samples,
        start_seconds=START_SECONDS,
        votes=cache / "votes.sqlite",
        votes_dataset=votes_dataset,
        salt=salt or secrets.token_hex(16),
        backends=backends(
            environment.get("MERGEBOT_SERVER"), environment.get("MERGEBOT_SERVER_KEY")
        ),
        live_merge=registered_live_merge(),
        examples=examples,
        recipes=environment.get("MERGEBOT_RECIPES"),
        recipes_hub=environment.get("MERGEBOT_RECIPES_HUB"),
        share_base=f"https://huggingface.co/spaces/{space_id}" if space_id else None,
        memory=free_memory(),
        trusted_proxies=_proxies(environment),
        login=bool(environment.get("OAUTH_CLIENT_ID")),
        account_created=HubAccounts().account_created,
    )


def _refuse_secrets(environment: Mapping[str, str]) -> None:
    """On ZeroGPU untrusted models run in this process, so it may hold none of our secrets."""
    held = [name for name in SECRETS if environment.get(name)]
    if held:
        raise UsageError(
            f"on ZeroGPU untrusted models run in the Space's own process, which must hold no"
            f" secret; this one holds {', '.join(held)}",
            hint="delete these in the Space's settings, or choose other hardware there",
        )


def _proxies(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The networks of trusted proxies: as configured, and on the Hub its own."""
    given = environment.get("MERGEBOT_TRUSTED_PROXIES")
    if given is None:
        return PRIVATE_NETWORKS if environment.get("SPACE_ID") else ()
    names = tuple(part.strip() for part in given.split(",") if part.strip())
    try:
        for name in names:
            ip_network(name)
    except ValueError as wrong:
        raise UsageError(
            f"MERGEBOT_TRUSTED_PROXIES: {wrong}", hint="write networks like 10.0.0.0/8,127.0.0.1"
        ) from wrong
    return names


def _store(board: str, cache: Path) -> tuple[Store, SamplesOf]:
    if Path(board).is_dir() or board.startswith((".", "/")):
        return FolderStore(Path(board)), no_samples
    from leaderboard.hub_store import HubStore

    store = HubStore(board, cache / "board")
    return store, store.samples


def main() -> None:
    """Serve on every address, as a Space's container does."""
    Space.of(settings_from(os.environ, zero_gpu=on_zero_gpu())).launch(server_name="0.0.0.0")  # noqa: S104 - a container's own


if __name__ == "__main__":
    main()
