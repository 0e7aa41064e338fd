from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from leaderboard.board_errors import BoardError
from leaderboard.build_board import build_board
from leaderboard.record_provenance import Flag, Retraction
from leaderboard.render.board_export import board_csv, board_json, board_parquet
from leaderboard.render.board_json import board_data, extra_data, model_id, script_json
from leaderboard.render.board_table import empty_html, table_html
from leaderboard.render.model_page import model_html
from leaderboard.render.pull_request_report import LIMIT, report_markdown
from leaderboard.render.table_controls import controls_html
from leaderboard.render.terminal_table import board_text
from leaderboard.render.trust_checks import trust_list
from leaderboard.site import write_site
from leaderboard.site.build_site import site_files
from leaderboard.site.site_pages import board_page
from tests.leaderboard.golden import BOARD, GOOD
from tests.leaderboard.many import many_models
from tests.leaderboard.markup import accessibility_faults, parse
from tests.leaderboard.samples import failed_record, record_of

FLAG = Flag(kind="contamination", source="x", path=("x", "good"), reason="saw the test set")
FLAGGED = build_board([GOOD.model_copy(update={"flags": (FLAG,)}), failed_record()])
PAGES = {path: content.decode() for path, content in site_files(BOARD) if path.endswith(".html")}


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_accessible_by_structure(path: str) -> None:
    assert accessibility_faults(PAGES[path]) == []
    tree = parse(PAGES[path])
    assert tree.all("html")[0].attributes["lang"] == "en"
    assert len(tree.all("h1")) == len(tree.all("main")) == len(tree.all("head")) == 1
    levels = [int(node.tag[1]) for node in tree.all() if node.tag in {"h1", "h2", "h3"}]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize(
    ("whole", "broken", "fault"),
    [
        ("<caption", "<!--", None),
        (' scope="col"', "", "heading cell without a scope"),
        ('<label class="mb-hidden" for="mb-search">Search</label>', "", "input without a label"),
        (' role="group"', "", "drawing without a name and description"),
    ],
)
def test_the_accessibility_test_notices_injected_faults(
    whole: str, broken: str, fault: str | None
) -> None:
    page = PAGES["index.html"]
    assert whole in page
    if fault is None:
        page = page.replace('<caption class="mb-hidden">', "<p>").replace("</caption>", "</p>")
        assert "table without a caption" in accessibility_faults(page)
    else:
        assert fault in accessibility_faults(page.replace(whole, broken))


def test_the_table_sorts_and_names_its_rows() -> None:
    tree = parse(table_html(BOARD, page_of=lambda row: f"models/{row.name}"))
    sorts = {
        node.attributes["data-column"]: node.attributes["aria-sort"]
        for node in tree.all("th")
        if "data-column" in node.attributes
    }
    assert sorts.pop("score") == "descending"
    assert set(sorts.values()) == {"none"}
    assert [
        node.words.split()[0] for node in tree.all("th") if node.attributes["scope"] == "row"
    ] == [row.name for row in BOARD.rows]
    assert "better than every parent" in tree.words


def test_flagged_and_failed_models_wait_behind_a_counted_chip() -> None:
    table = table_html(FLAGGED, page_of=lambda _: "x")
    assert "good" not in parse(table).words
    assert "show 2 failed or flagged" in controls_html(FLAGGED)
    assert "⚑ contamination: saw the test set" in model_html(FLAGGED.row("good"), FLAGGED)
    assert "⚑" in board_text(FLAGGED)


def test_the_data_is_the_board() -> None:
    data, extra = board_data(BOARD), extra_data(BOARD)
    columns = data["columns"]
    rows = (*BOARD.rows, *BOARD.unranked)
    lengths = {
        len(c["rows"] if isinstance(c, dict) else c) for c in columns.values() if c != columns["id"]
    }
    assert lengths == {len(rows)} == {len(extra["parents"])}
    scores = np.cumsum([step or 0 for step in columns["score"]])
    for place, row in enumerate(rows):
        assert columns["id"][10 * place : 10 * place + 10] == model_id(row.key)
        if row.headline:
            assert scores[place] / 10 == float(f"{100 * row.headline.value:.1f}")
    assert set(extra["tasks"]) == {"reverse", "sort", "shift"}


def test_all_exports_hold_the_same_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(board_csv(BOARD))))
    models = json.loads(board_json(BOARD))["models"]
    table = pq.read_table(io.BytesIO(board_parquet(BOARD))).to_pylist()
    assert (
        [row["name"] for row in rows] == [m["name"] for m in models] == [t["name"] for t in table]
    )
    for row, model, line in zip(rows, models, table, strict=True):
        assert model == line
        for key in ("score", "delta", "p", "task.sort"):
            assert (float(row[key]) if row[key] else None) == model[key]


def test_an_empty_board_says_what_to_do() -> None:
    empty = build_board([])
    assert "mergebot run" in empty_html()
    assert "mergebot run" in board_text(empty)
    assert board_csv(empty) == "name\n"
    assert "No evaluated models yet" in dict(site_files(empty))["index.html"].decode()


def test_a_pending_a_failed_and_a_retracted_model_have_pages() -> None:
    retraction = Retraction(
        run_key="run-good", reason="wrong parent", by="operator", created="2026-11-23T08:00:00Z"
    )
    gone = GOOD.model_copy(update={"retraction": retraction})
    board = build_board([gone, record_of("later", suites=()), failed_record()])
    assert "Retracted on 2026-11-23 08:00 UTC by operator: wrong parent" in model_html(
        board.row("good"), board
    )
    assert "○ later: not evaluated yet" in model_html(board.row("later"), board)
    assert "✕ broken failed in stage check" in model_html(board.row("broken"), board)
    text = board_text(board)
    assert "✕ good was retracted: wrong parent" in text
    assert "○ later: not evaluated on this suite" in text


def test_a_parents_page_names_its_merges() -> None:
    page = parse(model_html(BOARD.row("base"), BOARD)).words
    assert "Base model" in page
    assert "good" in page


def test_trust_is_stated_either_way() -> None:
    good = trust_list(GOOD, GOOD.suites[0], ())
    assert all(check.good for check in good)
    doubtful = record_of("d", attempts=None)
    told = trust_list(doubtful, doubtful.suites[0], (FLAG,))
    assert [c.statement for c in told if not c.good] == [
        "the number of attempts was not disclosed",
        "contamination: saw the test set",
    ]


def test_the_report_tells_its_verdict_within_twelve_lines_and_keeps_its_length() -> None:
    text = report_markdown(GOOD)
    head = text.splitlines()[:12]
    assert any("better than every parent" in line for line in head)
    assert any(line.startswith("| **Score**") for line in head)
    huge = GOOD.model_copy(
        update={"recipe": GOOD.recipe.model_copy(update={"text": "# long\n" * 20_000})}
    )
    short = report_markdown(huge)
    assert len(short) <= LIMIT
    assert "Reproduce" in short
    assert "# long" not in short


def test_a_site_replaces_only_what_it_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    index = write_site(BOARD, folder)
    assert index == folder / "index.html"
    (folder / "models" / "old.html").write_text("x")
    write_site(BOARD, folder)
    assert not (folder / "models" / "old.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(BoardError, match="was not written by this command"):
        write_site(BOARD, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_the_same_board_gives_the_same_bytes_and_no_dead_link() -> None:
    files = dict(site_files(BOARD))
    assert files == dict(site_files(BOARD))
    for path, page in PAGES.items():
        for node in parse(page).all("a"):
            href = node.attributes.get("href") or ""
            if not href.startswith(("http", "#")):
                assert (("models/" if "/" in path else "") + href).replace(
                    "models/../", ""
                ) in files


def test_ten_thousand_models_stay_small_on_the_wire() -> None:
    board = many_models(10_000)
    assert len(gzip.compress(script_json(board_data(board)).encode(), 6)) <= 250_000
    page = board_page(board, title="t", version="1")
    assert page.count("<tr data-id") == 50
    assert len(page) < 200_000
