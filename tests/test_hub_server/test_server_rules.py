"""The rules that need no server: ignored files, LFS files, cards."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hub_server.card import base_models, card_problems, card_tags, front_matter
from tests.hub_server.errors import HubError
from tests.hub_server.names import RepoName, RepoType
from tests.hub_server.upload_rules import is_ignored, upload_mode

PATHS = ["a.log", "keep.log", "x/a.log", "cache/deep/b.txt", "x/cache/c", "cache", "docs/a.txt"]
PATHS += ["docs/sub/a.txt", "a.txt", "notes/a.txt"]


@pytest.mark.parametrize(
    "rules",
    [
        ["*.log"],
        ["*.log", "!keep.log"],
        ["cache/"],
        ["/a.txt"],
        ["docs/*.txt"],
        ["docs"],
        ["[an]*"],
        ["cache/", "*.log", "docs/sub/"],
    ],
)
def test_ignoring_agrees_with_git(tmp_path: Path, rules: list[str]) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("\n".join(rules))
    done = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "--no-index", *PATHS],
        check=False,
        capture_output=True,
        text=True,
    )
    assert [path for path in PATHS if is_ignored(path, rules)] == done.stdout.splitlines()


@pytest.mark.parametrize(
    ("path", "size", "sample", "mode"),
    [
        ("model.safetensors", 10, b"x", "lfs"),
        ("sub/model.safetensors", 10, b"x", "lfs"),
        ("config.json", 10, b"{}", "regular"),
        ("config.json", 1001, b"{}", "lfs"),
        ("picture", 10, b"\x89PNG\0", "lfs"),
        ("empty.safetensors", 0, b"", "regular"),
    ],
)
def test_upload_modes(path: str, size: int, sample: bytes, mode: str) -> None:
    found = upload_mode(path, size, sample, patterns=["*.safetensors"], regular_limit=1000)
    assert found == mode


@given(st.text())
@settings(max_examples=100)
def test_no_text_breaks_the_card_reader(text: str) -> None:
    for readme in (text, f"---\n{text}\n---\nbody"):
        found = front_matter(readme)
        card_problems(readme)
        card_tags(found)
        base_models(found)


# The client writes a bare NEL or wide space in a way that no YAML reader can give back.
words = st.text(
    st.characters(exclude_categories=["Cs", "Zs"], exclude_characters="\x85"), max_size=5
)
values = st.one_of(words, st.lists(words, max_size=3))


@given(st.dictionaries(st.sampled_from(["license", "tags", "base_model", "language"]), values))
@settings(max_examples=50)
def test_cards_read_as_the_client_wrote_them(metadata: dict[str, object]) -> None:
    card = ModelCard("")
    card.data.__dict__.update(metadata)
    readme = f"---\n{card.data.to_yaml()}\n---\nbody"
    assert front_matter(readme) == card.data.to_dict()


@pytest.mark.parametrize("repo_id", ["", "a", "a/", "/b", "a/b/c", "a/..", "a/b--c", "a b/c"])
def test_bad_repository_ids(repo_id: str) -> None:
    with pytest.raises(HubError):
        RepoName.parse(RepoType.MODEL, repo_id)
