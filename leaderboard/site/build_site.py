"""Writing the folder: the board, a page a model, the data its script works on, and the exports."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from leaderboard.board import Board, Row
from leaderboard.board_errors import BoardError
from leaderboard.record_provenance import LineageNode
from leaderboard.render.board_export import board_csv, board_json, board_parquet
from leaderboard.render.board_json import board_data, extra_data, model_id, script_json
from leaderboard.render.model_page import Pages, model_html
from leaderboard.site.site_pages import board_page, model_page
from leaderboard.static import SCRIPTS, STYLE

MARKER = ".mergebot-site"
"""A file that says a folder was written by us and may be replaced."""


def write_site(board: Board, folder: Path, *, title: str = "Merge leaderboard") -> Path:
    """Write the whole board and put it in place at once; returns the path of its first page.

    Raises:
        BoardError: the folder holds something else than an earlier board.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise BoardError(
            f"{folder} is not empty and was not written by this command",
            hint="choose a new folder, or empty it first",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        for path, content in site_files(board, title=title):
            target = fresh / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        fresh.chmod(0o755)
        _put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder / "index.html"


def site_files(board: Board, *, title: str = "Merge leaderboard") -> Iterator[tuple[str, bytes]]:
    """Every file of the site as path and content, model pages last and one at a time.

    The same board gives the same bytes.
    """
    assets = _assets(board)
    version = hashlib.sha256(b"".join(assets[path] for path in sorted(assets))).hexdigest()[:10]
    yield from assets.items()
    yield "index.html", board_page(board, title=title, version=version).encode()
    pages = Pages(node=_node_pages(board), row=_file_name)
    for row in (*board.rows, *board.unranked):
        content = model_html(row, board, pages=pages)
        page = model_page(row.name, content, title=title, version=version)
        yield f"models/{_file_name(row)}", page.encode()


def _assets(board: Board) -> dict[str, bytes]:
    files = {"static/" + path.name: path.read_bytes() for path in (STYLE, *SCRIPTS)}
    return files | {
        "static/data.js": _script("data", board_data(board)),
        "static/extra.js": _script("extra", extra_data(board)),
        "leaderboard.csv": board_csv(board).encode(),
        "leaderboard.json": board_json(board).encode(),
        "leaderboard.parquet": board_parquet(board),
        MARKER: b"written by mergebot; replaced as a whole by the next build\n",
    }


def _file_name(row: Row) -> str:
    return f"{model_id(row.key)}.html"


def _node_pages(board: Board) -> Callable[[LineageNode], str | None]:
    """Where a lineage node's own page is: found by its id, digest or name."""
    pages = {
        name: _file_name(row)
        for row in (*board.unranked, *board.rows)
        for name in (row.name, row.key)
    }
    return lambda node: pages.get(node.id) or pages.get(node.name)


def _script(name: str, content: object) -> bytes:
    return (
        f"window.mergebot=window.mergebot||{{}};mergebot.{name}={script_json(content)};\n".encode()
    )


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Swap the new folder in; the old one goes last."""
    if not folder.exists():
        fresh.replace(folder)
        return
    old = fresh.with_name(fresh.name + "-old")
    folder.replace(old)
    fresh.replace(folder)
    shutil.rmtree(old)
