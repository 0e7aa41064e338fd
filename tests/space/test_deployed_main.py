from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import UsageError
from leaderboard.hub_store import HubStore
from leaderboard.record_store import FolderStore
from space_app.app_context import Context
from space_app.chat.openai_backend import OpenAIBackend
from space_app.chat.transformers_backend import TransformersBackend
from space_app.deployed_main import settings_from
from space_app.visitor import PRIVATE_NETWORKS


def test_a_folder_or_a_dataset_is_the_board(tmp_path: Path) -> None:
    base = {"MERGEBOT_CACHE": str(tmp_path / "cache")}
    folder = settings_from(base | {"MERGEBOT_BOARD": str(tmp_path)})
    assert isinstance(folder.store, FolderStore)
    dataset = settings_from(base | {"MERGEBOT_BOARD": "org/results"})
    assert isinstance(dataset.store, HubStore)


def test_the_environment_says_the_rest(tmp_path: Path) -> None:
    found = settings_from(
        {
            "MERGEBOT_BOARD": str(tmp_path),
            "MERGEBOT_CACHE": str(tmp_path / "cache"),
            "MERGEBOT_RECIPES": "org/recipes",
            "MERGEBOT_RECIPES_HUB": "org/hub-recipes",
            "MERGEBOT_SERVER": "http://gpu:8000/v1",
            "MERGEBOT_SALT": "pepper",
            "SPACE_ID": "org/board",
            "OAUTH_CLIENT_ID": "x",
        }
    )
    assert (found.recipes, found.recipes_hub) == ("org/recipes", "org/hub-recipes")
    assert found.share_base == "https://huggingface.co/spaces/org/board"
    assert (found.salt, found.login) == ("pepper", True)
    assert [type(backend) for backend in found.backends] == [OpenAIBackend, TransformersBackend]
    assert found.votes == tmp_path / "cache/votes.sqlite"


def test_without_a_salt_one_is_drawn(tmp_path: Path) -> None:
    base = {"MERGEBOT_BOARD": str(tmp_path), "MERGEBOT_CACHE": str(tmp_path / "cache")}
    assert settings_from(base).salt != settings_from(base).salt
    assert settings_from(base).login is False


def test_a_votes_dataset_needs_a_salt_that_outlives_the_process(tmp_path: Path) -> None:
    base = {
        "MERGEBOT_BOARD": str(tmp_path),
        "MERGEBOT_CACHE": str(tmp_path / "cache"),
        "MERGEBOT_VOTES_DATASET": "org/votes",
    }
    with pytest.raises(UsageError, match="MERGEBOT_SALT"):
        settings_from(base)
    found = settings_from(base | {"MERGEBOT_SALT": "pepper"})
    context = Context.of(found)
    assert context.votes is not None
    assert context.votes.repo == "org/votes"
    assert Context.of(settings_from({**base, "MERGEBOT_VOTES_DATASET": ""})).votes is None


@pytest.mark.parametrize(
    "secret", ["HF_TOKEN", "MERGEBOT_SERVER_KEY", "MERGEBOT_SALT", "MERGEBOT_VOTES_DATASET"]
)
def test_on_zero_gpu_a_space_that_holds_a_secret_does_not_start(
    tmp_path: Path, secret: str
) -> None:
    base = {"MERGEBOT_BOARD": str(tmp_path), "MERGEBOT_CACHE": str(tmp_path / "cache")}
    assert settings_from(base, zero_gpu=True).login is False
    with pytest.raises(UsageError, match=f"must hold no secret; this one holds {secret}"):
        settings_from(base | {secret: "x"}, zero_gpu=True)


def test_only_configured_proxies_and_the_hubs_own_are_trusted(tmp_path: Path) -> None:
    base = {"MERGEBOT_BOARD": str(tmp_path), "MERGEBOT_CACHE": str(tmp_path / "cache")}
    assert settings_from(base).trusted_proxies == ()
    assert settings_from(base | {"SPACE_ID": "org/board"}).trusted_proxies == PRIVATE_NETWORKS
    given = {"MERGEBOT_TRUSTED_PROXIES": "10.1.0.0/16, 192.0.2.7"}
    assert settings_from(base | given).trusted_proxies == ("10.1.0.0/16", "192.0.2.7")
    with pytest.raises(UsageError, match="MERGEBOT_TRUSTED_PROXIES"):
        settings_from(base | {"MERGEBOT_TRUSTED_PROXIES": "anyone"})
