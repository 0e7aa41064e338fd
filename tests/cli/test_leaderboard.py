"""The board from the command line, in every form it takes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from leaderboard.record_store import FolderStore
from tests.cli.commands import run
from tests.leaderboard.samples import failed_record, record_of


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    store = FolderStore(tmp_path / "board")
    store.add(record_of())
    store.add(failed_record())
    return tmp_path


def test_the_table_names_every_model_and_its_verdict(workspace: Path) -> None:
    shown = run("leaderboard", "show", "--workspace", workspace)
    assert shown.code == 0
    assert "steady" in shown.out
    assert "better than every parent" in shown.out
    rows = run("leaderboard", "show", "--workspace", workspace, "--json").json()
    assert {row["name"] for row in rows} >= {"steady", "broken"}


def test_every_format_carries_the_same_rows(workspace: Path, tmp_path: Path) -> None:
    text = run("leaderboard", "export", "--workspace", workspace, "--output", tmp_path / "b.csv")
    assert text.code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "b.csv").read_text("utf-8"))))
    parquet = tmp_path / "b.parquet"
    done = run(
        "leaderboard",
        "export",
        "--workspace",
        workspace,
        "--format",
        "parquet",
        "--output",
        parquet,
    )
    assert done.code == 0
    assert pq.read_table(parquet).column("name").to_pylist() == [row["name"] for row in rows]


def test_build_leaves_pages_that_need_no_server(workspace: Path) -> None:
    done = run("leaderboard", "build", "--workspace", workspace, "--json")
    index = Path(done.json()["written"]) / "index.html"
    assert "steady" in index.read_text("utf-8")
    assert run("leaderboard", "build", "--workspace", workspace).code == 0


def test_an_empty_board_says_what_to_do(tmp_path: Path) -> None:
    done = run("leaderboard", "show", "--workspace", tmp_path)
    assert done.code == 0
    assert "mergebot demo" in done.err


def test_a_run_has_a_card_and_a_report_for_its_pull_request(workspace: Path) -> None:
    page = run("card", "steady", "--workspace", workspace)
    comment = run("card", "steady", "--report", "--workspace", workspace)
    assert page.code == comment.code == 0
    assert page.out.startswith("---\n")
    assert comment.out.startswith("<!-- mergebot:report v1 -->")
    told = run("card", "steady", "--report", "--workspace", workspace, "--json").json()
    assert told["report"].rstrip() == comment.out.rstrip()
