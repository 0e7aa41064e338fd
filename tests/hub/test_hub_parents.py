"""Parents on the Hub: pinned, checked for access, fetched whole and right, or only looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import HfApi

from bot.checkpoint.folder_source import FolderSource
from bot.errors import AccessError, CheckpointError, HubError, StorageError
from bot.events import Event, silent
from bot.hub.client import Hub
from bot.hub.hub_cache import Cache
from bot.hub.hub_parents import DownloadResolver, HeaderResolver
from bot.hub.publish_model import publish
from bot.hub.repo_snapshot import card_of, take_snapshot
from bot.hub.upload import Upload
from bot.pipeline.forecast import forecast, quick_plan
from bot.pipeline.open_parents import at_pins, open_parents
from bot.recipe.load_recipe import load_recipe
from bot.recipe.recipe import ModelRef
from bot.recipe.sweep import load_sweep
from tests.checkpoint.models import random_tensors, write_model
from tests.families import write_family
from tests.hub.prepared import hub_at, push_family, push_model
from tests.hub_server import HubServer, serve

MODEL = ModelRef(path="tester/first")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with serve(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def family(running: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    hub = hub_at(running.endpoint, running.token(), tmp_path_factory.mktemp("cache"))
    return push_family(hub, tmp_path_factory.mktemp("family"))


@pytest.fixture
def server(running: HubServer, family: Path) -> HubServer:
    running.faults.clear()
    running.requests.clear()
    return running


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    return hub_at(server.endpoint, server.token(), tmp_path / "cache")


@pytest.fixture
def owner(server: HubServer) -> HfApi:
    return HfApi(endpoint=server.endpoint, token=server.token())


def test_a_model_is_pinned_to_its_commit_with_every_hash(
    hub: Hub, family: Path, owner: HfApi
) -> None:
    origin = DownloadResolver(hub)(MODEL, silent)
    assert origin.pin == owner.model_info("tester/first").sha
    assert origin.digest == FolderSource(family.parent / "first").id
    assert origin.card.license == "mit"
    assert origin.url == f"{hub.endpoint}/tester/first"
    assert origin.files["model.safetensors"].size > 0
    assert set(origin.files) == {"README.md", "config.json", "model.safetensors"}


def test_a_plan_reads_headers_and_configs_only(
    hub: Hub, family: Path, server: HubServer, tmp_path: Path
) -> None:
    planned = quick_plan(load_recipe(family), HeaderResolver(hub))
    local = quick_plan(load_recipe(write_family(tmp_path / "local")))
    assert [job.output for job in planned.jobs] == [job.output for job in local.jobs]
    assert all("model.safetensors" not in path.name for path in hub.cache.files.rglob("*"))
    ranges = [one for one in server.requests.all() if one.range]
    assert len(ranges) == 6, "one a parent, redirected once"


def test_headers_are_asked_for_once_a_commit(hub: Hub, family: Path, server: HubServer) -> None:
    forecast(load_sweep(family), HeaderResolver(hub))
    server.requests.clear()
    seen = forecast(load_sweep(family), HeaderResolver(hub))
    assert seen.unseen == ()
    assert not [one for one in server.requests.all() if one.range]


def test_tensors_can_be_read_by_range(hub: Hub, family: Path) -> None:
    source = HeaderResolver(hub)(MODEL, silent).source
    local = FolderSource(family.parent / "first")
    name, spec = list(local.tensors().items())[3]
    ours, theirs = bytearray(spec.nbytes - 8), bytearray(spec.nbytes - 8)
    source.read_into(name, 8, memoryview(ours))
    local.read_into(name, 8, memoryview(theirs))
    assert ours == theirs
    with pytest.raises(CheckpointError, match="has no bytes"):
        source.read_into(name, spec.nbytes, memoryview(bytearray(4)))


def test_a_server_without_ranges_is_read_all_the_same(hub: Hub, server: HubServer) -> None:
    server.faults.add("resolve-get", "ignore-range", times=None)
    server.faults.add("cdn-get", "ignore-range", times=None)
    assert HeaderResolver(hub)(MODEL, silent).source.tensors()


@pytest.mark.parametrize("kind", ["short-body", "reset-body", "corrupt-body", "503", "no-etag"])
def test_a_broken_download_is_mended(kind: str, hub: Hub, server: HubServer, family: Path) -> None:
    fault = server.faults.add("cdn-get", kind, path="/content/")
    origin = DownloadResolver(hub)(MODEL, silent)
    assert fault.hits == 1
    assert origin.digest == FolderSource(family.parent / "first").id


def test_a_cut_download_goes_on_where_it_stopped(
    hub: Hub, server: HubServer, tmp_path: Path
) -> None:
    # The client writes blocks of 10 MB: half of this is more than one.
    source = write_model(tmp_path / "large", {"a": np.zeros((6 << 20,), np.float32)})
    push_model(hub, source.path, "tester/large")
    server.requests.clear()
    server.faults.add("cdn-get", "short-body")
    assert DownloadResolver(hub)(ModelRef(path="tester/large"), silent).digest == source.id
    ranges = [one.range for one in server.requests.all() if one.endpoint.value == "cdn-get"]
    assert ranges[0] is None
    assert ranges[1]
    assert not ranges[1].startswith("bytes=0-")


def test_corruption_that_stays_is_named(hub: Hub, server: HubServer) -> None:
    server.faults.add("cdn-get", "corrupt-body", times=None)
    with pytest.raises(HubError, match=r"model\.safetensors.*other bytes"):
        DownloadResolver(hub)(MODEL, silent)


def test_what_is_there_is_not_asked_for_again(hub: Hub, server: HubServer) -> None:
    DownloadResolver(hub)(MODEL, silent)
    server.requests.clear()
    DownloadResolver(hub)(MODEL, silent)
    assert {one.value for one in server.requests.endpoints()} == {"auth-check", "info"}


def test_a_file_that_changed_in_the_cache_is_fetched_anew(hub: Hub, family: Path) -> None:
    origin = DownloadResolver(hub)(MODEL, silent)
    assert origin.folder is not None
    target = (origin.folder / "model.safetensors").resolve()
    target.write_bytes(b"\0" * target.stat().st_size)
    again = DownloadResolver(hub)(MODEL, silent)
    assert again.digest == FolderSource(family.parent / "first").id


def test_a_gated_model_is_refused_before_any_work(
    hub: Hub, owner: HfApi, server: HubServer, tmp_path: Path, family: Path
) -> None:
    push_model(hub, family.parent / "second", "tester/gated")
    owner.update_repo_settings("tester/gated", gated="manual")
    stranger = hub_at(server.endpoint, server.token("stranger"), tmp_path / "theirs")
    server.requests.clear()
    for resolver in (HeaderResolver(stranger), DownloadResolver(stranger)):
        with pytest.raises(AccessError, match="gated") as refused:
            resolver(ModelRef(path="tester/gated"), silent)
        assert "accept its conditions" in (refused.value.hint or "")
    assert {one.value for one in server.requests.endpoints()} == {"auth-check"}


@pytest.mark.parametrize("path", ["tester/nothing", "nobody/at-all"])
def test_a_missing_model_is_named(path: str, hub: Hub) -> None:
    with pytest.raises(AccessError, match=f"no {path}"):
        DownloadResolver(hub)(ModelRef(path=path), silent)


def test_a_missing_revision_is_named(hub: Hub) -> None:
    with pytest.raises(HubError, match="no such branch"):
        DownloadResolver(hub)(replace(MODEL, revision="nope"), silent)


@pytest.mark.parametrize("path", ["../etc/passwd", "a", "a/b/c", "http://x/y", "a..b/c", "a/b.git"])
def test_what_is_no_id_reaches_no_server(path: str, hub: Hub, server: HubServer) -> None:
    with pytest.raises(HubError, match="is not a repository"):
        take_snapshot(hub, path)
    assert not server.requests.all()


def test_only_what_a_merge_needs_is_fetched(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "rich"
    write_model(folder, random_tensors(1, {"a": (4, 4)}))
    for name in ("modeling_evil.py", "pytorch_model.bin", "LICENSE", "tokenizer.json", "x.gguf"):
        (folder / name).write_bytes(b"{}")
    push_model(hub, folder, "tester/rich")
    origin = DownloadResolver(hub)(ModelRef(path="tester/rich"), silent)
    assert origin.folder is not None
    assert {path.name for path in origin.folder.iterdir()} == {
        "LICENSE", "README.md", "config.json", "model.safetensors", "tokenizer.json",
    }  # fmt: skip


def test_pickled_weights_are_refused_before_a_byte_is_fetched(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    push_model(hub, folder, "tester/pickled")
    for resolver in (HeaderResolver(hub), DownloadResolver(hub)):
        with pytest.raises(CheckpointError, match="pickled"):
            resolver(ModelRef(path="tester/pickled"), silent)


@pytest.mark.parametrize(
    "index",
    [
        b"not json",
        b"{}",
        b'{"weight_map": []}',
        b'{"weight_map": {"a": 1}}',
        b'{"weight_map": {"a": "../a.safetensors"}}',
        b'{"weight_map": {"a": "deep/part.safetensors"}}',
        b'{"weight_map": {"b": "part.safetensors"}}',
    ],
    ids=str,
)
def test_an_index_that_lies_is_refused(index: bytes, hub: Hub, tmp_path: Path) -> None:
    part = write_model(tmp_path / "part", random_tensors(1, {"a": (4, 4)})).path
    shards = ("part.safetensors", "deep/part.safetensors")
    files: dict[str, Path | bytes] = dict.fromkeys(shards, part / "model.safetensors")
    files |= {"model.safetensors.index.json": index, "README.md": b"---\nlicense: mit\n---\n"}
    key = hashlib.sha256(index).hexdigest()
    repo = f"tester/index-{key[:12]}"
    publish(hub, Upload(name="x", run_key=key, merge_key=key, files=files), repo, silent)
    with pytest.raises(CheckpointError, match="index"):
        HeaderResolver(hub)(ModelRef(path=repo), silent).source.tensors()
    with pytest.raises(CheckpointError):
        DownloadResolver(hub)(ModelRef(path=repo), silent)


def test_a_full_disk_is_found_before_the_first_byte(
    server: HubServer, hub: Hub, tmp_path: Path
) -> None:
    small = replace(hub, cache=Cache(tmp_path / "small", free=lambda _: 1000))
    server.requests.clear()
    with pytest.raises(StorageError, match="fetching needs"):
        DownloadResolver(small)(MODEL, silent)
    assert "resolve-get" not in {one.value for one in server.requests.endpoints()}


def test_the_longest_unused_models_go_first_and_those_in_use_stay(hub: Hub) -> None:
    for name in ("base", "first", "second"):
        DownloadResolver(hub)(ModelRef(path=f"tester/{name}"), silent)
    used = hub.cache.used()
    assert hub.cache.trim(0) == 0, "this process still uses all three"
    pins = sorted((hub.cache.root / "pins").iterdir())
    kept = pins[0].name.partition(".")[0]
    for pin in pins[1:]:
        pin.rename(pin.with_name(f"{pin.name.partition('.')[0]}.999999999"))
    assert hub.cache.trim(0) > 0
    assert 0 < hub.cache.used() < used
    left = [path.name for path in hub.cache.files.glob("models--*/snapshots/*")]
    assert left == [kept]


def test_a_limit_trims_before_it_fetches(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "limited", limit=1)
    limited = replace(hub, cache=cache)
    DownloadResolver(limited)(MODEL, silent)
    for pin in (cache.root / "pins").iterdir():
        pin.unlink()
    DownloadResolver(limited)(ModelRef(path="tester/second"), silent)
    assert not list(cache.files.glob("models--tester--first/snapshots/*"))


def test_offline_works_from_the_cache_and_says_what_is_missing(hub: Hub, server: HubServer) -> None:
    first = DownloadResolver(hub)(MODEL, silent)
    offline = replace(hub, offline=True)
    server.requests.clear()
    assert DownloadResolver(offline)(MODEL, silent).digest == first.digest
    with pytest.raises(HubError, match="offline, and tester/second@main is not in"):
        DownloadResolver(offline)(ModelRef(path="tester/second"), silent)
    take_snapshot(hub, "tester/second")
    server.requests.clear()
    with pytest.raises(HubError, match=r"not in the cache: .*model\.safetensors of tester/second"):
        DownloadResolver(offline)(ModelRef(path="tester/second"), silent)
    assert not server.requests.all()


def test_a_lock_s_commits_count_after_branches_moved(hub: Hub, owner: HfApi, family: Path) -> None:
    before = push_model(hub, family.parent / "base", "tester/moving")
    ref = ModelRef(path="tester/moving")
    owner.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id=ref.path)
    assert DownloadResolver(hub)(ref, silent).pin != before
    pinned = at_pins(DownloadResolver(hub), {ref: before})(ref, silent)
    assert (pinned.pin, pinned.ref) == (before, ref)


def test_an_adapter_on_the_hub_is_pinned_with_its_base(
    hub: Hub, family: Path, tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    local = FolderSource(family.parent / "first")
    rows, columns = local.tensors()["model.layers.0.self_attn.q_proj.weight"].shape
    shapes = {f"{name}.lora_A.weight": (2, columns), f"{name}.lora_B.weight": (rows, 2)}
    write_model(adapter, random_tensors(3, shapes))
    (adapter / "model.safetensors").rename(adapter / "adapter_model.safetensors")
    (adapter / "config.json").unlink()
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    commit = push_model(hub, adapter, "tester/lora")
    text = "merge_method: linear\nparameters: {weight: 1.0}\nmodels:\n"
    text += "- model: tester/first+tester/lora\n"
    recipe = tmp_path / "lora.yaml"
    recipe.write_text(text)
    found = open_parents(load_recipe(recipe), silent, DownloadResolver(hub))
    (origin,) = found.parents.values()
    base, _, lora = origin.pin.partition("+")
    assert (lora, len(base)) == (commit, 40)
    assert quick_plan(load_recipe(recipe), HeaderResolver(hub)).jobs
    again = at_pins(DownloadResolver(hub), {origin.ref: origin.pin})
    assert open_parents(load_recipe(recipe), silent, again).parents["first"].digest == origin.digest


def test_cards_of_ancestors_are_looked_up_once(hub: Hub, server: HubServer) -> None:
    found = card_of(hub, "tester/first")
    assert found is not None
    assert (found.license, found.base_model) == ("mit", ("./base",))
    server.requests.clear()
    assert card_of(hub, "tester/first") == found
    assert card_of(hub, "nobody/nothing") is None
    assert card_of(hub, "not an id") is None
    assert len(server.requests.all()) == 1


def test_progress_counts_bytes(hub: Hub) -> None:
    events: list[Event] = []
    DownloadResolver(hub)(MODEL, events.append)
    files = take_snapshot(hub, "tester/first").files
    total = sum(file.size for path, file in files.items() if path != ".gitattributes")
    assert events[0].total == total
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert events[-1].done == total
