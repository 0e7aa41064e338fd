from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from leaderboard.build_board import build_board
from leaderboard.record import Record
from leaderboard.record_provenance import Lineage, LineageEdge, LineageNode
from leaderboard.render import escape
from leaderboard.render.ancestry_tree import lineage_list, lineage_markdown, lineage_mermaid
from leaderboard.render.board_export import board_csv
from leaderboard.render.board_json import board_data, script_json
from leaderboard.render.board_table import table_html
from leaderboard.render.lineage_svg import lineage_svg
from leaderboard.render.model_page import model_html
from leaderboard.render.pull_request_report import report_markdown
from leaderboard.render.scatter_plot import scatter_plot
from leaderboard.render.terminal_table import board_text
from leaderboard.site.build_site import site_files
from tests.leaderboard.markup import parse, svg_elements
from tests.leaderboard.samples import record_of

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "[x](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "@everyone #1 GH-1 https://evil.example www.evil.example",
    "a | b ` c `` d",
    "\x1b[2J\x1b]0;owned\x07 red\u202etxt.exe",
    '=HYPERLINK("https://evil.example")',
    "```\n# heading\n<details>",
    "-->\n<!-- mergebot:report v1 -->",
]
GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": False})


def hostile_record(name: str) -> Record:
    nodes = (
        LineageNode(id="p", name=name, url="javascript:alert(1)", license=name),
        LineageNode(id="m", name="m" + name, url="https://example.org/a(b)c"),
    )
    lineage = Lineage(nodes=nodes, edges=(LineageEdge(source="p", target="m", label=name),))
    base = record_of("safe")
    parents = tuple(parent.model_copy(update={"name": name}) for parent in base.parents)
    return base.model_copy(
        update={
            "name": name,
            "title": name,
            "description": name,
            "lineage": lineage,
            "parents": parents,
            "recipe": base.recipe.model_copy(update={"text": name, "method": name}),
        }
    )


def assert_inert(markup: str) -> None:
    for node in parse(markup).all():
        assert node.tag not in {"img", "script", "iframe"}
        assert not [key for key in node.attributes if key.startswith("on")]
        href = node.attributes.get("href") or ""
        assert not href.lower().startswith(("javascript:", "data:", "vbscript:"))


@pytest.mark.parametrize("name", HOSTILE)
def test_html_and_drawings_stay_inert(name: str) -> None:
    record = hostile_record(name)
    board = build_board([record])
    row = board.row("digest-safe")
    page = model_html(row, board)
    assert_inert(page)
    assert_inert(table_html(board, page_of=lambda _: "x"))
    assert_inert(lineage_list(record.lineage, name))
    for drawing in (lineage_svg(record.lineage, name), scatter_plot(board.rows)):
        assert_inert(drawing)
        assert not [found for found in svg_elements(drawing) if found.tag.endswith("script")]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_whole_site_of_hostile_names_runs_only_our_scripts(name: str) -> None:
    files = dict(site_files(build_board([hostile_record(name)])))
    pages = [content.decode() for path, content in files.items() if path.endswith(".html")]
    scripts = [node for page in pages for node in parse(page).all("script")]
    assert all((node.attributes.get("src") or "static/").startswith("static/") for node in scripts)
    assert len(scripts) == 5
    for path in files:
        assert ".." not in path


def allowed(token: Token) -> bool:
    return token.type not in {"image", "html_block"} and not (
        token.type == "html_inline" and not token.content.startswith(("<sub", "</sub"))
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_the_name_and_does_nothing(name: str) -> None:
    tokens = GITHUB.parse(escape.markdown(name))
    inline = [child for token in tokens for child in token.children or [] if token.type == "inline"]
    assert {token.type for token in inline} <= {"text", "text_special", "softbreak"}
    shown = "".join(token.content for token in inline).replace(escape.JOINER, "")
    assert shown == " ".join(escape.clean(name).split())
    for trigger in ("@e", "#1", "www.", "https://"):
        assert trigger not in escape.markdown(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_reports_have_one_marker_and_only_our_structure(name: str) -> None:
    text = report_markdown(hostile_record(name))
    assert text.startswith("<!-- mergebot:report v1 -->")
    assert "javascript:" not in text.split("<details>", maxsplit=1)[0].replace("(javascript:", "")
    tokens = GITHUB.parse(text)
    headings = [token for token in tokens if token.type == "heading_open"]
    assert len(headings) == 1
    links = [
        child.attrs["href"]
        for token in tokens
        for child in token.children or []
        if child.type == "link_open"
    ]
    assert all(str(link).startswith("https://") for link in links)
    assert not [c for token in tokens for c in token.children or [] if c.type == "image"]


@pytest.mark.parametrize("name", HOSTILE)
def test_plain_text_and_tables_stay_one_line_a_model(name: str) -> None:
    board = build_board([hostile_record(name)])
    text = board_text(board)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) == len(board.rows) + 6
    rows = list(csv.reader(io.StringIO(board_csv(board))))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows for cell in row if cell[:1] in set("=+@|%\t")]


@pytest.mark.parametrize("name", HOSTILE)
def test_scripts_and_diagrams_cannot_be_left(name: str) -> None:
    data = script_json(board_data(build_board([hostile_record(name)])))
    assert "<" not in data
    shown = json.loads(data)["columns"]["name"]  # three models of one name, each with its key
    assert len(set(shown)) == 3
    assert all(one.startswith(f"{escape.clean(name)} (") for one in shown)
    diagram = lineage_mermaid(hostile_record(name).lineage) or ""
    assert len(diagram.splitlines()) == 4
    assert diagram.count('"') == 6
    assert not set("<>`[]()") & set("".join(diagram.split('"')[1::2]))


@given(st.text())
def test_any_text_survives_html(text: str) -> None:
    tree = parse(f"<p title='{escape.html(text)}'>{escape.html(text)}</p>")
    assert tree.words.replace("\r", "\n") == escape.clean(text).replace("\r", "\n")


@given(st.text())
def test_code_blocks_hold_any_text(text: str) -> None:
    tokens = GITHUB.parse(escape.markdown_block(text, "yaml"))
    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content.rstrip("\n") == escape.clean(text).rstrip("\n")


@given(st.text(min_size=1))
def test_code_spans_hold_any_text(text: str) -> None:
    tokens = GITHUB.parse("x " + escape.markdown_code(text))
    kinds = {child.type for child in tokens[1].children or []} if len(tokens) > 1 else set()
    assert kinds <= {"text", "code_inline"}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://huggingface.co/a/b", True),
        ("http://localhost:7860/x", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,x", False),
        ("//evil.example", False),
        ("https://", False),
        ("https://a b", False),
        ("https://a\u202eb", False),
        ("http://[::1", False),
        (None, False),
    ],
)
def test_only_plain_web_addresses_become_links(url: str, kept: bool) -> None:
    assert (escape.web_address(url) == url and url is not None) is kept


def test_the_family_tree_in_markdown_escapes_too() -> None:
    text = lineage_markdown(hostile_record("[x](javascript:alert(1))").lineage, "m")
    assert "](javascript" not in text.replace("\\](javascript", "")
