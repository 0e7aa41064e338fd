"""Publishing: one commit, once, private first; refused where it must not go out."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from jsonschema import Draft202012Validator

from bot.errors import AccessError, CheckFailedError, LicenseError, PublishError
from bot.events import silent
from bot.hub.card_edits import set_new_version
from bot.hub.client import Hub
from bot.hub.download import fetch_model
from bot.hub.hub_parents import DownloadResolver
from bot.hub.publish_model import publish
from bot.hub.upload import Upload
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.publishing import Operator, PublishResult, adding_failures, announce, retract
from bot.pipeline.verify_merge import Answer, verify
from leaderboard.hub_store import HubStore
from leaderboard.record import Failure, License, Retraction
from leaderboard.record_store import FolderStore
from tests.families import flip_bit
from tests.hub.prepared import Prepared, hub_at, prepare, problems_with
from tests.hub_server import HubServer, serve
from tests.leaderboard.samples import failed_record, scores_of, suite_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def hub(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    return hub_at(server.endpoint, server.token(), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def made(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(hub, tmp_path_factory.mktemp("made"))


@pytest.fixture
def run(made: Prepared, tmp_path: Path) -> Prepared:
    return made.copy(tmp_path / "workspace")


@pytest.fixture
def place(request: pytest.FixtureRequest, hub: Hub) -> str:
    """A repository and a results dataset of this test alone."""
    return "mergebot/" + re.sub(r"[^a-z0-9]+", "-", request.node.name)[-60:].strip("-")


def text_of(hub: Hub, repo: str, path: str) -> str:
    return Path(hub.api.hf_hub_download(repo, path, cache_dir=hub.cache.files)).read_text("utf-8")


def go(run: Prepared, hub: Hub, place: str, **changes: Any) -> PublishResult:
    operator = Operator(hub=hub, organisation="mergebot", results=f"{place}-results")
    return announce(run.record, run.workspace, replace(operator, **changes), silent, repo=place)


def test_a_run_becomes_a_public_page_and_a_row(run: Prepared, hub: Hub, place: str) -> None:
    go(run, hub, place)
    assert problems_with(hub.api, run, place, f"{place}-results") == []
    told = FolderStore(run.workspace.board).get(run.record.run_key)
    assert told.publication is not None
    assert told.publication.repo == place
    rows = HubStore(f"{place}-results", api=hub.api, cache=hub.cache.files).load().records
    assert [row.run_key for row in rows] == [run.record.run_key]
    assert rows[0].publication == told.publication


def test_publishing_again_changes_nothing(
    run: Prepared, hub: Hub, place: str, server: HubServer
) -> None:
    first = go(run, hub, place)
    server.requests.clear()
    second = go(run, hub, place)
    assert second.publication == first.publication
    assert (first.fresh, second.fresh) == (True, False)
    written = {"commit", "lfs-put", "create", "settings", "preupload"}
    assert not written & {one.value for one in server.requests.endpoints()}


def test_it_is_private_until_its_card_is_there(
    run: Prepared, hub: Hub, place: str, server: HubServer
) -> None:
    server.requests.clear()
    go(run, hub, place)
    order = [
        one.endpoint.value
        for one in server.requests.all()
        if place in one.path or one.endpoint.value == "create"
    ]
    assert order.index("create") < order.index("commit") < len(order) - 1
    assert order[-1] == "settings"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"status": "failed", "failure": Failure(stage="check", message="NaN")},
         PublishError, "NaN"),
        ({"license": None}, LicenseError, "what its license is"),
        ({"license": License(id="unknown", conflicts=("tester/first declares none",))},
         LicenseError, "tester/first"),
        ({"license": License(id="llama3.1")}, LicenseError, "begins with Llama"),
    ],
)  # fmt: skip
def test_what_must_not_go_out_is_refused_before_any_request(
    changes: dict[str, object], error: type[Exception], said: str,
    run: Prepared, hub: Hub, server: HubServer,
) -> None:  # fmt: skip
    server.requests.clear()
    refused = replace(run, record=run.record.model_copy(update=changes))
    with pytest.raises(error, match=said):
        go(refused, hub, "mergebot/refused")
    assert not server.requests.all()


def test_a_failed_hard_check_is_refused(run: Prepared, hub: Hub) -> None:
    checks = tuple(row.model_copy(update={"passed": False}) for row in run.record.checks)
    broken = replace(run, record=run.record.model_copy(update={"checks": checks}))
    with pytest.raises(PublishError, match="finite"):
        go(broken, hub, "mergebot/refused")


def test_weights_that_changed_on_disk_are_refused(
    made: Prepared, hub: Hub, tmp_path: Path, place: str
) -> None:
    shutil.copytree(made.workspace.root, tmp_path / "own")
    run = replace(made, workspace=replace(made.workspace, root=tmp_path / "own"))
    flip_bit(run.workspace.merge(run.record.merge_key) / "model/model.safetensors")
    with pytest.raises(PublishError, match="not those that were checked"):
        go(run, hub, place)
    assert not hub.api.repo_exists(place)


def test_a_model_that_was_hidden_since_stays_hidden(run: Prepared, hub: Hub, place: str) -> None:
    go(run, hub, place)
    hub.api.update_repo_settings(place, visibility="private")
    announced = replace(run, record=FolderStore(run.workspace.board).get(run.record.run_key))
    assert not go(announced, hub, place).fresh
    assert hub.api.model_info(place).private


def test_a_name_that_is_taken_is_refused(run: Prepared, hub: Hub) -> None:
    with pytest.raises(PublishError, match="already holds"):
        go(run, hub, "tester/base")


def test_a_repository_of_somebody_else_is_refused(run: Prepared, hub: Hub) -> None:
    with pytest.raises(AccessError):
        go(run, hub, "stranger/model")


def test_a_pull_request_where_one_may_not_write(
    run: Prepared, hub: Hub, server: HubServer, place: str
) -> None:
    owner = HfApi(endpoint=server.endpoint, token=server.token("stranger"))
    owner.create_repo("stranger/theirs", exist_ok=True)
    operator = Operator(hub=hub, organisation="mergebot", results=f"{place}-r", create_pr=True)
    done = [
        announce(run.record, run.workspace, operator, silent, repo="stranger/theirs")
        for _ in range(2)
    ]
    assert done[0].pull_request == done[1].pull_request
    assert (done[0].fresh, done[1].fresh) == (True, False)
    threads = list(owner.get_repo_discussions("stranger/theirs"))
    assert [thread.is_pull_request for thread in threads] == [True]
    assert "README.md" in owner.list_repo_files("stranger/theirs", revision="refs/pr/1")
    assert "README.md" not in owner.list_repo_files("stranger/theirs")


@pytest.mark.parametrize(
    ("policy", "published"), [("all", True), ("not-worse", False), ("better", False)]
)
def test_the_policy_decides_about_the_page_never_about_the_row(
    policy: str, published: bool, run: Prepared, hub: Hub, place: str
) -> None:
    record = run.record
    parents = {parent.key: scores_of((0.9, 0.9, 0.9)) for parent in record.parents}
    worse = suite_of(scores_of((0.2, 0.2, 0.2)), parents, key=record.model_digest or "")
    beaten = replace(run, record=record.model_copy(update={"suites": (worse,)}))
    done = go(beaten, hub, place, policy=policy)
    assert (done.publication is not None) == published
    assert hub.api.repo_exists(place) == published
    assert hub.api.list_repo_files(f"{place}-results", repo_type="dataset").count("runs.parquet")


def test_a_published_model_is_verified_from_the_hub_alone(
    run: Prepared, hub: Hub, place: str, tmp_path: Path, server: HubServer
) -> None:
    go(run, hub, place)
    # Whatever branches mean later, the lock's commits count.
    hub.api.upload_file(path_or_fileobj=b"moved", path_in_repo="NOTES", repo_id="tester/first")
    empty = hub_at(server.endpoint, server.token(), tmp_path / "empty")
    folder = fetch_model(empty, place, None, silent)
    options = EngineOptions(threads=1)
    found = verify(folder, options=options, report=silent, hub=DownloadResolver(empty))
    assert found.answer is Answer.IDENTICAL


def test_one_flipped_bit_in_a_published_model_is_found(
    run: Prepared, hub: Hub, place: str, tmp_path: Path, server: HubServer
) -> None:
    go(run, hub, place)
    weights = tmp_path / "model.safetensors"
    model = run.workspace.merge(run.record.merge_key) / "model"
    weights.write_bytes((model / "model.safetensors").read_bytes())
    flip_bit(weights)
    hub.api.upload_file(path_or_fileobj=weights, path_in_repo=weights.name, repo_id=place)
    empty = hub_at(server.endpoint, server.token(), tmp_path / "empty")
    folder = fetch_model(empty, place, None, silent)
    found = verify(
        folder, options=EngineOptions(threads=1), report=silent, hub=DownloadResolver(empty)
    )
    assert found.answer is Answer.DIFFERENT


def test_a_retraction_hides_the_model_and_marks_row_and_card(
    run: Prepared, hub: Hub, place: str
) -> None:
    go(run, hub, place)
    operator = Operator(hub=hub, organisation="mergebot", results=f"{place}-results")
    record = FolderStore(run.workspace.board).get(run.record.run_key)
    taken_back = Retraction(
        run_key=record.run_key,
        reason="trained on test items",
        by="ada",
        created="2026-11-23T10:00:00Z",
    )
    for _ in range(2):
        retract(record, taken_back, operator)
    assert hub.api.model_info(place).private
    card = text_of(hub, place, "README.md")
    assert "**Retracted** on 2026-11-23: trained on test items" in card
    row = HubStore(f"{place}-results", api=hub.api, cache=hub.cache.files).load().records[0]
    assert row.retraction == taken_back
    files = hub.api.list_repo_files(f"{place}-results", repo_type="dataset")
    assert f"records/{record.run_key}.json" in files
    with pytest.raises(PublishError, match="retracted"):
        announce(row, run.workspace, operator, silent, repo=place)


def test_a_superseded_page_points_to_the_newer_one(run: Prepared, hub: Hub, place: str) -> None:
    go(run, hub, place)
    before = text_of(hub, place, "README.md")
    set_new_version(hub, place, "mergebot/newer")
    set_new_version(hub, place, "mergebot/newer")
    after = text_of(hub, place, "README.md")
    added = set(after.splitlines()) - set(before.splitlines())
    assert added == {"new_version: mergebot/newer"}
    assert len(hub.api.list_repo_commits(place)) == 3


def test_a_commit_made_meanwhile_is_neither_lost_nor_overwritten(
    run: Prepared, hub: Hub, place: str, server: HubServer
) -> None:
    server.faults.add("commit", "412", path=place.rpartition("/")[2])
    go(run, hub, place)
    assert problems_with(hub.api, run, place, f"{place}-results") == []
    server.faults.clear()


def test_a_new_suite_changes_the_page_and_uploads_no_weights(
    run: Prepared, hub: Hub, place: str, server: HubServer
) -> None:
    go(run, hub, place)
    again = run.record.model_copy(update={"run_key": "another-" + run.record.run_key[:20]})
    FolderStore(run.workspace.board).add(again)
    server.requests.clear()
    done = go(replace(run, record=again), hub, place)
    assert done.fresh
    puts = [one for one in server.requests.all() if one.endpoint.value == "lfs-put"]
    assert all(one.received < 100_000 for one in puts)
    assert len(hub.api.list_repo_commits(place)) == 3


def test_two_publishers_of_one_run_make_one_commit_and_one_row(
    made: Prepared, server: HubServer, hub: Hub, place: str, tmp_path: Path
) -> None:
    def publish_own(number: int) -> str:
        own = hub_at(server.endpoint, server.token(), tmp_path / f"cache-{number}")
        run = made.copy(tmp_path / f"workspace-{number}")
        done = go(run, own, place)
        assert done.publication is not None
        return done.publication.commit

    with ThreadPoolExecutor(3) as pool:
        commits = set(pool.map(publish_own, range(3)))
    assert len(commits) == 1
    assert problems_with(hub.api, made, place, f"{place}-results") == []


def test_failed_runs_get_their_rows_in_one_commit(run: Prepared, hub: Hub, place: str) -> None:
    board = FolderStore(run.workspace.board)
    for name in ("one", "two"):
        board.add(failed_record(name))
    operator = Operator(hub=hub, organisation="mergebot", results=f"{place}-results")
    with pytest.raises(CheckFailedError), adding_failures(run.workspace, operator):
        raise CheckFailedError("a broken merge")
    go(run, hub, place)
    rows = operator.dataset.load().records
    assert sorted(row.name for row in rows if row.status == "failed") == ["one", "two"]
    assert len(rows) == 3
    commits = hub.api.list_repo_commits(f"{place}-results", repo_type="dataset")
    assert len(commits) == 3


def test_the_parents_license_texts_are_carried_on(run: Prepared, hub: Hub, place: str) -> None:
    go(run, hub, place)
    assert "licenses/tester--second/LICENSE" in hub.api.list_repo_files(place)
    assert text_of(hub, place, "licenses/tester--second/LICENSE") == "MIT, by a second author"


def test_a_bundle_of_many_files_is_one_commit(hub: Hub, server: HubServer, place: str) -> None:
    files: dict[str, Path | bytes] = {f"part/{n:03}.txt": str(n).encode() for n in range(300)}
    bundle = Upload(name="many", run_key="many-files", merge_key="many", files=files)
    done = publish(hub, bundle, place, silent)
    assert len(hub.api.list_repo_commits(place)) == 2
    assert len(hub.api.list_repo_files(place, revision=done.commit)) == 301


def test_the_record_in_the_repository_is_the_run_s_own(run: Prepared, hub: Hub, place: str) -> None:
    go(run, hub, place)
    content = json.loads(text_of(hub, place, "record.json"))
    schema = json.loads(Path("leaderboard/record.schema.json").read_text())
    Draft202012Validator(schema).validate(content)
    assert content["run_key"] == run.record.run_key
