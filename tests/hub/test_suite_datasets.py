"""A gated dataset on a Hub is pinned and fetched through the real client and datasets library."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from bot.errors import AccessError
from bot.evaluation import DatasetAccess, Settings, evaluate_all, prepare_suite
from bot.evaluation.evaluate_models import Model
from bot.events import silent
from bot.hub.suite_datasets import dataset_access
from tests.evaluation.conftest import CHILD, ITEMS, rows
from tests.evaluation.models import write_model
from tests.evaluation.test_dataset_access import hub_suite
from tests.hub.prepared import hub_at
from tests.hub_server import serve

HIDDEN = "tester/hidden"


CARD = """---
configs:
- config_name: default
  data_files:
  - {split: test, path: test.jsonl}
  - {split: dev, path: dev.jsonl}
---
"""


def upload(api: HfApi, repo: str) -> str:
    """A private dataset with two splits; its commit."""
    api.create_repo(repo, repo_type="dataset", private=True)
    files = {"README.md": CARD}
    for split, seed in (("test", "q"), ("dev", "d")):
        files[f"{split}.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows(seed))
    for name, text in files.items():
        done = api.upload_file(
            path_or_fileobj=text.encode(), path_in_repo=name, repo_id=repo, repo_type="dataset"
        )
    return str(done.oid)


def reach(endpoint: str, token: str, cache: Path) -> DatasetAccess:
    found = dataset_access(hub_at(endpoint, token, cache))
    return DatasetAccess(
        commit_of=found.commit_of, token=found.token,
        environ={**os.environ, "HF_ENDPOINT": endpoint},
    )  # fmt: skip


def test_a_private_dataset_is_pinned_and_fetched(tmp_path: Path) -> None:
    with serve(tmp_path / "server") as server:
        token = server.token()
        api = HfApi(endpoint=server.endpoint, token=token)
        commit = upload(api, HIDDEN)
        suite = hub_suite(tmp_path / "suite", repo=HIDDEN)
        ready = prepare_suite(
            suite, tmp_path, reach(server.endpoint, token, tmp_path / "cache"), silent
        )
        with pytest.raises(AccessError):
            prepare_suite(
                suite, tmp_path / "other",
                reach(server.endpoint, "hf_stranger", tmp_path / "c"), silent,
            )  # fmt: skip
    assert {one.revision for one in ready.fetched()} == {commit}
    model = Model(name="plain", path=write_model(tmp_path / "plain"), digest="1" * 64)
    found = evaluate_all([model], ready, Settings.of(ready), store=tmp_path, child=CHILD)
    assert len(found["1" * 64].task_scores["mini_pick"]) == ITEMS
