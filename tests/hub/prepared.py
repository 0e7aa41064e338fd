"""A small merge, made once and ready to be published; and what must be true of it afterwards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import HfApi

from bot.check.checks import CheckReport
from bot.events import silent
from bot.hub.client import Hub, connect
from bot.hub.hub_parents import DownloadResolver
from bot.hub.publish_model import publish
from bot.hub.retry import RetryPolicy
from bot.hub.upload import Upload
from bot.hub.visibility import make_public
from bot.lineage.build_record import build_record
from bot.pipeline import run_state
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.make_lock import make_lock
from bot.pipeline.merge_recipe import merge_in_workspace
from bot.pipeline.open_parents import open_parents
from bot.pipeline.publishing import Operator, PublishResult, announce
from bot.pipeline.workspace import Workspace
from bot.recipe.load_recipe import load_recipe
from leaderboard.record import Record
from leaderboard.record_provenance import Check
from leaderboard.record_store import FolderStore
from tests.families import write_family
from tests.leaderboard.samples import scores_of, suite_of

FAMILY = ("base", "first", "second")
QUICK = RetryPolicy(attempts=4, first=0.01, longest=0.02)


@dataclass(frozen=True)
class Prepared:
    """A run with its workspace; ``digests`` are its parents' model digests."""

    record: Record
    workspace: Workspace
    recipe: Path
    digests: dict[str, str]

    def copy(self, folder: Path) -> Prepared:
        """The same run on a board of its own; the weights are shared."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "merges").symlink_to(self.workspace.root / "merges")
        workspace = Workspace(folder)
        FolderStore(workspace.board).add(self.record)
        return replace(self, workspace=workspace)


def hub_at(endpoint: str, token: str, cache: Path, retry_policy: RetryPolicy = QUICK) -> Hub:
    return connect(endpoint=endpoint, token=token, cache=cache, retry_policy=retry_policy)


def push_model(hub: Hub, folder: Path, repo: str) -> str:
    """A folder as a public model repository; its commit."""
    files: dict[str, Path | bytes] = {path.name: path for path in folder.iterdir()}
    files.setdefault("README.md", b"---\nlicense: mit\n---\n")
    key = f"pushed-{folder.name}"
    bundle = Upload(name=folder.name, run_key=key, merge_key=key, files=files)
    done = publish(hub, bundle, repo, silent)
    make_public(hub, repo)
    return done.commit


def push_family(hub: Hub, folder: Path, owner: str = "tester") -> Path:
    """The small family as repositories of ``owner``, and a recipe that names them there."""
    local = write_family(folder)
    (folder / "second/LICENSE").write_text("MIT, by a second author", "utf-8")
    for name in FAMILY:
        push_model(hub, folder / name, f"{owner}/{name}")
    text = local.read_text("utf-8")
    for name in FAMILY:
        text = text.replace(f"./{name}\n", f"{owner}/{name}\n")
    recipe = folder / "hub.yaml"
    recipe.write_text(text + "license: apache-2.0\n", "utf-8")
    return recipe


def prepare(hub: Hub, folder: Path) -> Prepared:
    """Fetch the family from the Hub, merge it, and record a run with made-up scores."""
    recipe = push_family(hub, folder / "family")
    loaded = load_recipe(recipe)
    options = EngineOptions(threads=1)
    parents = open_parents(loaded, silent, DownloadResolver(hub))
    workspace = Workspace(folder / "workspace")
    merged = merge_in_workspace(loaded, parents, workspace, options, silent)
    lock = make_lock(loaded, parents, options.device)
    context = run_state.begin(loaded, parents, (), lock, 1_700_000_000.0)
    passed = CheckReport(checks=(Check(name="finite", hard=True, passed=True),))
    context = run_state.with_merge(context, merged, passed, workspace.digests())
    digests = {key: origin.digest for key, origin in parents.parents.items()}
    shares = [(0.6, 0.6, 0.6), (0.5, 0.9, 0.5), (0.5, 0.5, 0.9)]
    scores = {
        digest: scores_of(found) for digest, found in zip(digests.values(), shares, strict=True)
    }
    suite = suite_of(scores_of((0.8, 0.85, 0.85)), scores, key=merged.digest)
    record = build_record(replace(context, suites=(suite,)))
    FolderStore(workspace.board).add(record)
    return Prepared(record=record, workspace=workspace, recipe=recipe, digests=digests)


def announce_to(
    prepared: Prepared, hub: Hub, organisation: str, **settings: object
) -> PublishResult:
    operator = Operator(hub=hub, organisation=organisation, **settings)  # type: ignore[arg-type]  # any of its options
    return announce(prepared.record, prepared.workspace, operator, silent)


def problems_with(api: HfApi, prepared: Prepared, repo: str, dataset: str) -> list[str]:
    """What is wrong with a published run, looked at by the plain client; empty when nothing is."""
    found = []
    info = api.model_info(repo, files_metadata=True)
    if info.private:
        found.append("the model is not public")
    titles = [commit.title for commit in api.list_repo_commits(repo)]
    if len(titles) != 2:
        found.append(f"commits are {titles}")
    model = prepared.workspace.merge(prepared.record.merge_key) / "model"
    theirs = {file.rfilename: file.lfs.sha256 for file in info.siblings or [] if file.lfs}
    for path in model.glob("*.safetensors"):
        if theirs.get(path.name) != hashlib.sha256(path.read_bytes()).hexdigest():
            found.append(f"{path.name} is {theirs.get(path.name)}")
    names = {file.rfilename for file in info.siblings or []}
    wanted = {"README.md", "config.json", "recipe.yaml", "recipe.lock.json", "record.json",
              "comparison.json", "digests.json", "lineage.svg"}  # fmt: skip
    if missing := wanted - names:
        found.append(f"not published: {sorted(missing)}")
    rows = [
        file
        for file in api.list_repo_files(dataset, repo_type="dataset")
        if file.startswith("records/")
    ]
    if rows != [f"records/{prepared.record.run_key}.json"]:
        found.append(f"rows are {rows}")
    return found
