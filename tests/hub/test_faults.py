"""Every fault in every class of requests of a journey, one at a time, from a prepared merge.

The first attempt ends with the same bytes or a clear error, the second completes; nothing is ever
public without its card, committed twice, or missing from the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.hub.cells import CELLS, JOURNEY, Cell, SandboxResult, play
from tests.hub.prepared import Prepared, hub_at, prepare
from tests.hub_server import FaultKind, SpawnedServer, spawn

Servers = SimpleQueue[tuple[SpawnedServer, Prepared]]
SERVERS = 3
PART = 16 * 1024
"""Small parts, so that the shard of a small merge is uploaded in several."""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Cell, Future[SandboxResult]]]:
    """All cells, on several servers at once: most of the time of a fault is waiting."""
    root = tmp_path_factory.mktemp("faults")
    with ExitStack() as stack:
        servers: Servers = SimpleQueue()
        for number in range(SERVERS):
            data = root / f"server-{number}"
            server = stack.enter_context(spawn(data, "--multipart-over", str(PART)))
            server.set_dials(part_size=PART)
            hub = hub_at(server.endpoint, server.token, root / f"cache-{number}")
            servers.put((server, prepare(hub, root / f"made-{number}")))
        pool = stack.enter_context(ThreadPoolExecutor(SERVERS))
        yield {
            cell: pool.submit(_play, cell, number, servers, root)
            for number, cell in enumerate(CELLS)
        }


def _play(cell: Cell, number: int, servers: Servers, root: Path) -> SandboxResult:
    server, made = servers.get()
    try:
        folder = root / f"cell-{number}"

        def arm() -> Callable[[], int]:
            server.add_fault(cell.endpoint, cell.kind, delay=0.02)

            def disarm() -> int:
                hits = server.hits()
                server.clear_faults()
                return hits

            return disarm

        return play(made, server.endpoint, server.token, folder, f"cell-{number}", arm)
    finally:
        servers.put((server, made))


def test_the_matrix_is_whole() -> None:
    assert len(CELLS) >= 150
    assert {cell.endpoint for cell in CELLS} == set(JOURNEY)
    assert {cell.kind for cell in CELLS} == set(FaultKind)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_fault_ends_well(cell: Cell, ended: dict[Cell, Future[SandboxResult]]) -> None:
    found = ended[cell].result()
    assert found.hits, "the journey makes no such request"
    assert found.surprise is None
    assert "Traceback" not in (found.first or "")
    assert found.second is None
    assert found.problems == []
