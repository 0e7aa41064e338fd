"""The commands against the local Hub, in processes of their own, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi
from jsonschema import Draft202012Validator

from bot.hub.results_dataset import ResultsDataset
from bot.hub.visibility import make_public
from bot.lineage.front_matter_schema import front_matter_schema
from leaderboard.hub_store import HubStore
from leaderboard.record import Publication
from tests.cli.commands import Ran, run
from tests.families import flip_bit
from tests.hub.prepared import hub_at, prepare, push_family, push_model
from tests.hub_server import Accounts, HubServer, serve
from tests.leaderboard.samples import record_of

ROOT = Path(__file__).parents[2]
SKILLS = ROOT / "recipes/skills/models"
RECIPE = """\
name: skills-slerp
license: apache-2.0
suites: [skills]
merge_method: slerp
base_model: tester/skills-sort
models:
  - model: tester/skills-sort
  - model: tester/skills-increment
parameters: {t: 0.5}
dtype: float32
"""


CI_JOB = """
import sys
from bot.hub.client import connect
from bot.hub.results_dataset import ResultsDataset
from tests.leaderboard.samples import record_of
ResultsDataset(connect(), sys.argv[1], private=True).add(record_of("one"))
"""


@dataclass(frozen=True)
class Shell:
    """Runs mergebot as ``tester`` of one server, with a cache of its own.

    In this process, which is quick, or in one of its own, as a user does.
    """

    server: HubServer
    home: Path
    patch: pytest.MonkeyPatch | None = None

    def __call__(self, *words: object, code: int = 0, **environ: str) -> str:
        """What was printed on stdout."""
        done = self._here(*words, **environ) if self.patch else self._apart(*words, **environ)
        assert done.code == code, done.out + done.err
        for token in (self.server.token(), environ.get("HF_TOKEN")):
            assert not token or token not in done.out + done.err
        return done.out

    def json(self, *words: object, code: int = 0, **environ: str) -> Any:
        return json.loads(self(*words, "--json", code=code, **environ))

    def environment(self) -> dict[str, str]:
        return {
            **self.server.env(self.home),
            "MERGEBOT_HUB_CACHE": str(self.home / "cache"),
            "OMP_NUM_THREADS": "1",
        }

    def _here(self, *words: object, **environ: str) -> Ran:
        assert self.patch is not None
        for name, value in (self.environment() | environ).items():
            self.patch.setenv(name, value)
        return run(*words)

    def _apart(self, *words: object, **environ: str) -> Ran:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "bot", *map(str, words)],
            cwd=ROOT, env=kept | self.environment() | environ, capture_output=True, text=True,
            timeout=1000, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def api(server: HubServer) -> HfApi:
    return HfApi(endpoint=server.endpoint, token=server.token())


@pytest.fixture
def shell(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(server, tmp_path / "home", monkeypatch)


@pytest.mark.heavy
def test_the_whole_journey_by_hub_ids_alone(server: HubServer, api: HfApi, tmp_path: Path) -> None:
    shell = Shell(server, tmp_path / "home")
    hub = hub_at(server.endpoint, server.token(), tmp_path / "pusher")
    for name in ("skills-sort", "skills-increment"):
        push_model(hub, SKILLS / name, f"tester/{name}")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    workspace = tmp_path / "workspace"
    words = ("run", recipe, "--workspace", workspace, "--publish", "mergebot")
    (told,) = shell.json(*words)
    assert told["published"]["fresh"]
    (again,) = shell.json(*words)
    assert not again["published"]["fresh"]
    assert again["published"]["publication"] == told["published"]["publication"]
    _check_page(api, tmp_path)
    board = HubStore("mergebot/mergebot-results", tmp_path / "board", api=api)
    rows = board.load().records
    assert [row.name for row in rows] == ["skills-slerp"]
    assert rows[0].publication is not None
    samples = api.list_repo_files("mergebot/mergebot-results", repo_type="dataset")
    assert sum(path.startswith("samples/") for path in samples) == 3
    for model in (rows[0].model_digest, *(parent.key for parent in rows[0].parents)):
        items = board.samples(rows[0].suites[0].digest, str(model))
        assert items is not None
        assert {len(scores.texts.answers) for scores in items.values() if scores.texts} == {500}
    _check_verification(api, server, tmp_path)


def _check_page(api: HfApi, tmp_path: Path) -> None:
    info = api.model_info("mergebot/skills-slerp", files_metadata=True)
    assert not info.private
    card = info.card_data
    assert card is not None
    assert card.base_model == ["tester/skills-sort", "tester/skills-increment"]
    text = Path(api.hf_hub_download("mergebot/skills-slerp", "README.md", cache_dir=tmp_path / "c"))
    Draft202012Validator(front_matter_schema()).validate(
        yaml.safe_load(text.read_text("utf-8").split("---\n")[1])
    )
    drawing = api.hf_hub_download("mergebot/skills-slerp", "lineage.svg", cache_dir=tmp_path / "c")
    assert Path(drawing).read_text("utf-8").startswith("<svg")


def _check_verification(api: HfApi, server: HubServer, tmp_path: Path) -> None:
    """From an empty machine; then after one flipped bit."""
    found = Shell(server, tmp_path / "other-machine").json("verify", "mergebot/skills-slerp")
    assert found["answer"] == "identical"
    weights = tmp_path / "model.safetensors"
    published = api.hf_hub_download("mergebot/skills-slerp", weights.name, cache_dir=tmp_path / "c")
    weights.write_bytes(Path(published).read_bytes())
    flip_bit(weights)
    api.upload_file(
        path_or_fileobj=weights, path_in_repo=weights.name, repo_id="mergebot/skills-slerp"
    )
    third = Shell(server, tmp_path / "third-machine")
    assert third.json("verify", "mergebot/skills-slerp", code=15)["answer"] == "different"


def test_validate_and_plan_take_hub_ids(server: HubServer, shell: Shell, tmp_path: Path) -> None:
    hub = hub_at(server.endpoint, server.token(), tmp_path / "pusher")
    recipe = push_family(hub, tmp_path / "family")
    found = shell.json("validate", recipe)
    assert found["recipes"][0]["tensors"] == 39
    offline = shell.json("validate", recipe, "--offline")
    unseen = {"tester/base", "tester/first", "tester/second"}
    assert set(offline["recipes"][0]["not_checked"]) == unseen
    plan = shell.json("plan", recipe)
    assert len(plan["tensors"]) == 39
    broken = tmp_path / "broken.yaml"
    broken.write_text(recipe.read_text().replace("tester/first", "tester/frist"))
    refused = shell.json("validate", broken, code=12)
    assert "no tester/frist" in refused["recipes"][0]["problems"][0]["message"]


def test_doctor_goes_to_the_hub_and_back(api: HfApi, shell: Shell) -> None:
    found = {row["name"]: row for row in shell.json("doctor", "--live") if "hub: " in row["name"]}
    assert all(row["good"] for row in found.values())
    assert list(found) == [
        "hub: token", "hub: publish", "hub: publish again", "hub: private",
        "hub: headers by range", "hub: read back", "hub: delete",
    ]  # fmt: skip
    assert not [model for model in api.list_models(author="tester") if "doctor" in model.id]


def test_doctor_says_what_failed_and_cleans_up(api: HfApi, shell: Shell, server: HubServer) -> None:
    server.faults.add("commit", "402")
    rows = shell.json("doctor", "--live", code=11)
    server.faults.clear()
    failed = [row for row in rows if not row["good"] and row["name"].startswith("hub: ")]
    assert [row["name"] for row in failed] == ["hub: failed"]
    assert "plan does not include" in failed[0]["detail"]
    assert not [model for model in api.list_models(author="tester") if "doctor" in model.id]


def test_a_wrong_token_is_explained_and_not_shown(shell: Shell) -> None:
    told = shell("doctor", "--live", code=11, HF_TOKEN="hf_" + "w" * 34)
    assert "does not accept your token" in told


def test_gc_lists_dominated_merges_and_hides_them_only_when_told(
    server: HubServer, api: HfApi, shell: Shell, tmp_path: Path
) -> None:
    hub = hub_at(server.endpoint, server.token(), tmp_path / "pusher")
    dataset = ResultsDataset(hub, "mergebot/gc-results")
    model = push_family(hub, tmp_path / "family").parent / "first"
    for name, shares in {"poor": (0.3, 0.3, 0.3), "good": (0.9, 0.9, 0.9)}.items():
        push_model(hub, model, f"mergebot/{name}")
        make_public(hub, f"mergebot/{name}")
        page = Publication(repo=f"mergebot/{name}", commit="c" * 40, url="https://x/y")
        dataset.add(record_of(name, shares, publication=page, created="2026-01-01T00:00:00Z"))
    words = ("hub", "gc", "--results", "mergebot/gc-results")
    found = shell.json(*words)
    assert [row["repo"] for row in found["dominated"]] == ["mergebot/poor"]
    assert found["dominated"][0]["bytes"] > 1000
    assert not api.model_info("mergebot/poor").private
    assert shell.json(*words, "--older-than", "99999")["dominated"] == []
    assert shell.json(*words, "--apply", "--yes")["made_private"]
    assert api.model_info("mergebot/poor").private
    assert not api.model_info("mergebot/good").private
    assert shell.json(*words)["dominated"] == []


def test_publish_and_retract_from_the_command_line(
    server: HubServer, api: HfApi, shell: Shell, tmp_path: Path
) -> None:
    hub = hub_at(server.endpoint, server.token(), tmp_path / "pusher")
    made = prepare(hub, tmp_path / "made")
    key, workspace = made.record.run_key, made.workspace.root
    told = shell.json("publish", key[:12], "--workspace", workspace, "--repo", "tester/by-hand")
    assert told["publication"]["repo"] == "tester/by-hand"
    assert told["results"] == "tester/mergebot-results"
    shell.json(
        "leaderboard", "retract", key[:12], "--reason", "a leak", "--org", "tester",
        "--workspace", workspace,
    )  # fmt: skip
    assert api.model_info("tester/by-hand").private
    (row,) = HubStore("tester/mergebot-results", tmp_path / "board", api=api).load().records
    assert row.retraction is not None
    assert row.retraction.reason == "a leak"
    refused = shell.json("publish", key[:12], "--workspace", workspace, "--org", "tester", code=17)
    assert "retracted" in refused["problems"][0]["message"]


def test_publishing_without_a_place_is_a_usage_error(shell: Shell, tmp_path: Path) -> None:
    refused = shell.json("publish", "nothing", "--workspace", tmp_path, code=2)
    assert "--repo org/name" in refused["hint"]


@pytest.mark.parametrize(
    ("token", "org", "said"),
    [
        ("hf_tester", "somebody-else", "not a member of somebody-else"),
        ("hf_reader", "mergebot", "may only read"),
        ("", "mergebot", "no token"),
    ],
)
def test_who_may_not_publish_learns_it_before_the_work(
    token: str, org: str, said: str, shell: Shell, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    if not token:  # this process may know the token of whoever runs the tests
        shell = replace(shell, patch=None)
    refused = shell.json(
        "run", recipe, "--workspace", tmp_path / "w", "--publish", org, code=12, HF_TOKEN=token
    )
    assert said in refused["problems"][0]["message"]
    assert not (tmp_path / "w").exists()


def test_a_trusted_ci_job_writes_to_its_one_repository(tmp_path: Path) -> None:
    accounts = replace(
        Accounts.default(), publishers={"id-token-of-the-job": "datasets/mergebot/trusted"}
    )
    with serve(tmp_path / "trusting", accounts=accounts) as server:
        owner = HfApi(endpoint=server.endpoint, token=server.token())
        owner.create_repo("mergebot/trusted", repo_type="dataset")
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **Shell(server, tmp_path).environment(),
            "HF_OIDC_RESOURCE": "datasets/mergebot/trusted",
            "HF_OIDC_ID_TOKEN": "id-token-of-the-job",
        }
        del environment["HF_TOKEN"]
        for dataset, code in {"mergebot/trusted": 0, "mergebot/other": 1}.items():
            done = subprocess.run(
                [sys.executable, "-c", CI_JOB, dataset], cwd=ROOT, env=environment,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == code, done.stderr
        assert "records/run-one.json" in owner.list_repo_files(
            "mergebot/trusted", repo_type="dataset"
        )
