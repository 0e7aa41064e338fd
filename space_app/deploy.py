"""The Space as a folder and as a repository on the Hub.

The folder holds everything it needs: this package, ``leaderboard``, and of ``bot`` the recipe
checker, the isolated processes and the errors, with pinned requirements. It starts anywhere with
``python app.py``.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bot.errors import AccessError, HubError, PublishError, UsageError

ROOT = Path(__file__).parent.parent
PARTS = ("leaderboard", "space_app", "bot/recipe", "bot/isolation")
FILES = ("bot/__init__.py", "bot/errors.py")
SUFFIXES = {".py", ".json", ".css", ".js", ".typed", ".jinja", ".yaml"}
LIGHT = (
    "gradio", "huggingface_hub", "httpx", "numpy", "pyarrow", "pydantic", "pyyaml", "scipy",
)  # fmt: skip
CHAT = ("transformers", "accelerate", "safetensors", "torch")
PYTHON = "3.12"
FREE = "mergebot leaderboard export --html DIR"
SECRETS: Mapping[str, str] = {
    "MERGEBOT_SALT": "part of voters' hashes and key of their cookies; drawn by this command",
    "MERGEBOT_SERVER_KEY": "key of an OpenAI-compatible server, only with MERGEBOT_SERVER",
    "HF_TOKEN": "read access where the board's dataset or a model is private; write access to the"
    " votes dataset, only with MERGEBOT_VOTES_DATASET",
}
SALT = "MERGEBOT_SALT"
VOTES_DATASET = "MERGEBOT_VOTES_DATASET"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What a Space is made of and how it runs.

    ``variables`` are what `space_app.deployed_main` reads; ``hardware`` is suggested to whoever
    copies the Space, and asked of the Hub only by the owner in its settings.
    """

    title: str = "Merge leaderboard"
    variables: Mapping[str, str] = field(default_factory=dict)
    hardware: str = "zero-a10g"
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    login: bool = True


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Where it is, in which commit, and the secrets that the owner may set."""

    url: str
    commit: str
    created: bool
    secrets: Mapping[str, str]


def space_files(deployment: Deployment) -> dict[str, bytes]:
    """Every file of the Space's folder by its path; the same input gives the same bytes."""
    files = {path: (ROOT / path).read_bytes() for path in _sources()}
    files["app.py"] = (
        b'"""Starts the Space."""\n\nfrom space_app.deployed_main import main\n\n'
        b'if __name__ == "__main__":\n    main()\n'
    )
    files["README.md"] = front_matter(deployment).encode()
    files["requirements.txt"] = ("\n".join(requirements(deployment)) + "\n").encode()
    examples = {name: list(prompts) for name, prompts in deployment.examples.items()}
    files["space_app/examples.json"] = (json.dumps(examples, indent=1) + "\n").encode()
    return dict(sorted(files.items()))


def write_folder(deployment: Deployment, folder: Path) -> None:
    """Write the Space's folder, for other hosts than the Hub."""
    for path, content in space_files(deployment).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def front_matter(deployment: Deployment) -> str:
    """The Space's README: what the Hub reads, and a line for people."""
    facts: dict[str, Any] = {
        "title": deployment.title,
        "colorFrom": "blue",
        "colorTo": "green",
        "sdk": "gradio",
        "sdk_version": version("gradio"),
        "python_version": PYTHON,
        "app_file": "app.py",
        "license": "apache-2.0",
        "suggested_hardware": deployment.hardware,
        "short_description": "Model merges, measured against their parents",
        "tags": ["leaderboard", "model-merging", "mergebot"],
    }
    if deployment.login:
        facts |= {"hf_oauth": True, "hf_oauth_scopes": ["contribute-repos"]}
    lines = [f"{key}: {json.dumps(value)}" for key, value in facts.items()]
    text = "Made by [mergebot](https://pypi.org/project/mergebot/); deploy again to update it."
    return "\n".join(["---", *lines, "---", "", f"# {deployment.title}", "", text, ""])


def requirements(deployment: Deployment) -> list[str]:
    """Pinned to what this machine runs; torch is left to ZeroGPU, which brings its own."""
    names = [name for name in (*LIGHT, *CHAT) if name != "torch" or not _zero(deployment)]
    lines = [line for name in names if (line := _pinned(name))]
    return [*lines, "spaces"] if _zero(deployment) else lines


def deploy(
    repository: str,
    deployment: Deployment,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    private: bool = False,
) -> Deployed:
    """Create or update the Space in one commit; what it has beyond our files stays.

    A Space on ZeroGPU gets no secret, because untrusted models run in its own process.

    Raises:
        UsageError: it is to store votes, which needs a secret, on ZeroGPU.
        PublishError: the account's plan has no Spaces.
        AccessError: the token may not write there.
        HubError: the Hub refused or is out of reach.
    """
    import httpx2
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    if _zero(deployment) and VOTES_DATASET in deployment.variables:
        raise UsageError(
            "a Space on ZeroGPU cannot store votes: that needs a token, and untrusted models run in"
            " the Space's own process there",
            hint="choose other hardware, e.g. --hardware cpu-upgrade, or leave out --votes",
        )
    api = HfApi(endpoint=endpoint, token=token)
    files = space_files(deployment)
    try:
        created = not api.repo_exists(repository, repo_type="space")
        api.create_repo(
            repository, repo_type="space", space_sdk="gradio", private=private, exist_ok=True
        )
        stale = _stale(api.list_repo_files(repository, repo_type="space"), files)
        done = api.create_commit(
            repository,
            [
                *(CommitOperationAdd(path, content) for path, content in files.items()),
                *(CommitOperationDelete(path) for path in stale),
            ],
            repo_type="space",
            commit_message="Deploy the leaderboard",
        )
        _configure(api, repository, deployment)
    except HfHubHTTPError as refused:
        raise _explained(refused, repository) from refused
    except (httpx2.HTTPError, OSError) as lost:
        raise HubError(f"the Hub is out of reach: {lost}", hint="try again later") from lost
    url = f"{api.endpoint}/spaces/{repository}"
    known = {} if _zero(deployment) else SECRETS
    return Deployed(url=url, commit=done.oid, created=created, secrets=known)


def _configure(api: Any, repository: str, deployment: Deployment) -> None:
    for name, value in deployment.variables.items():
        api.add_space_variable(repository, name, value)
    if not _zero(deployment) and SALT not in api.get_space_secrets(repository):
        api.add_space_secret(repository, SALT, secrets.token_hex(16))


def _sources() -> Iterator[str]:
    yield from FILES
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*")):
            if path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


def _stale(present: Sequence[str], files: Mapping[str, bytes]) -> list[str]:
    """Files of an earlier deployment that this one no longer has."""
    ours = ("leaderboard/", "space_app/", "bot/")
    return [path for path in present if path.startswith(ours) and path not in files]


def _pinned(name: str) -> str | None:
    extras = "[oauth]" if name == "gradio" else ""
    try:
        return f"{name}{extras}=={version(name).split('+')[0]}"
    except PackageNotFoundError:
        return None


def _zero(deployment: Deployment) -> bool:
    return deployment.hardware.startswith("zero")


def _explained(refused: Any, repository: str) -> HubError | PublishError:
    status = refused.response.status_code if refused.response is not None else None
    if status == 402:
        return PublishError(
            f"the Hub answers 402 for {repository}: this account's plan has no Gradio Spaces",
            hint=f"a static Space or any web host is free: {FREE}",
        )
    if status in {401, 403}:
        return AccessError(
            f"the token may not write to the Space {repository}",
            hint="use a token with write access to that account: hf auth login",
        )
    return HubError(f"the Hub refused the Space {repository}: {refused}", hint="try again later")
