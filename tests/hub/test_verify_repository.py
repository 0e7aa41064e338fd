"""``verify`` covers the whole repository: a flipped byte is named, an edited card has its code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import CheckpointError
from bot.events import silent
from bot.hub.card_edits import edit_card, set_new_version
from bot.hub.client import Hub
from bot.hub.download import fetch_model
from bot.hub.file_list import dump_file_list, parse_file_list
from bot.hub.hub_parents import DownloadResolver
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.verify_merge import Answer, Verification, verify
from tests.families import flip_bit
from tests.hub.prepared import announce_to, hub_at, prepare
from tests.hub_server import HubServer, serve

REPO = "mergebot/small-ties"
LISTED = (
    "README.md", "comparison.json", "config.json", "digests.json", "lineage.svg",
    "licenses/tester--second/LICENSE", "model.safetensors", "recipe.lock.json", "recipe.yaml",
    "record.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def hub(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    hub = hub_at(server.endpoint, server.token(), tmp_path_factory.mktemp("cache"))
    prepared = prepare(hub, tmp_path_factory.mktemp("made"))
    announce_to(prepared, hub, "mergebot")
    return hub


@pytest.fixture
def copy(hub: Hub, tmp_path: Path) -> Path:
    """The published files in a folder that may be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(fetch_model(hub, REPO, None, silent), folder)
    return folder


def verified(folder: Path, hub: Hub) -> Verification:
    options = EngineOptions(threads=1)
    return verify(folder, options=options, report=silent, hub=DownloadResolver(hub))


def faults_of(folder: Path, hub: Hub) -> str:
    """Why a folder is not what it was; some broken files cannot even be opened."""
    try:
        found = verified(folder, hub)
    except CheckpointError as broken:
        return broken.message
    assert found.answer is Answer.DIFFERENT
    return "; ".join(found.reasons)


def test_every_file_is_listed_and_proved(copy: Path, hub: Hub) -> None:
    listed = json.loads((copy / "files.json").read_text())["files"]
    there = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert set(LISTED) <= set(listed)
    assert there - {"files.json", ".gitattributes"} == set(listed)
    found = verified(copy, hub)
    assert found.answer is Answer.IDENTICAL
    assert f"{len(listed)} files are what files.json says" in found.proved
    assert any("evaluations are not repeated" in fact for fact in found.unproved)
    assert any("who wrote the files" in fact for fact in found.unproved)


@pytest.mark.parametrize("path", sorted(set(LISTED) - {"README.md", "recipe.lock.json"}))
def test_a_flipped_byte_is_named(path: str, copy: Path, hub: Hub) -> None:
    flip_bit(copy / path)
    assert path in faults_of(copy, hub)


def test_a_lock_that_was_rewritten_is_named(copy: Path, hub: Hub) -> None:
    lock = copy / "recipe.lock.json"
    lock.write_bytes(lock.read_bytes() + b"\n")
    found = verified(copy, hub)
    assert found.reasons == ("recipe.lock.json is not what files.json says",)


def test_a_missing_file_is_named_and_an_added_one_is_not_proved(copy: Path, hub: Hub) -> None:
    (copy / "extra.txt").write_text("hello")
    assert any("extra.txt" in fact for fact in verified(copy, hub).unproved)
    (copy / "record.json").unlink()
    assert "record.json is not what files.json says" in verified(copy, hub).reasons


def test_a_record_of_another_merge_is_found_though_the_list_agrees(copy: Path, hub: Hub) -> None:
    record = json.loads((copy / "record.json").read_text())
    (copy / "record.json").write_text(json.dumps({**record, "merge_key": "f" * 64}))
    (copy / "files.json").unlink()
    found = verified(copy, hub)
    assert found.answer is Answer.DIFFERENT
    assert "record.json is of another merge than the lock" in found.reasons


def test_a_card_that_its_owner_edited_has_a_code_of_its_own(copy: Path, hub: Hub) -> None:
    card = copy / "README.md"
    card.write_text(card.read_text("utf-8") + "\nMy own words.\n", "utf-8")
    found = verified(copy, hub)
    assert found.answer is Answer.CARD_CHANGED
    assert found.answer.exit_code == 21
    assert found.reasons == ("its card is not the one that was published with it",)


def test_our_own_edits_of_the_card_rewrite_the_list(hub: Hub, tmp_path: Path) -> None:
    set_new_version(hub, REPO, "mergebot/newer")
    edit_card(hub, REPO, "A note", lambda text: text + "\nA note.\n")
    folder = fetch_model(hub, REPO, None, silent)
    assert "A note." in (folder / "README.md").read_text("utf-8")
    assert verified(folder, hub).answer is Answer.IDENTICAL


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "a\\b", ""])
def test_a_list_that_leads_elsewhere_is_refused(path: str) -> None:
    assert parse_file_list(dump_file_list({"a/b": "0" * 64})) == {"a/b": "0" * 64}
    with pytest.raises(CheckpointError, match="a broken entry"):
        parse_file_list(dump_file_list({path: "0" * 64}))
