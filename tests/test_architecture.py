"""The house rules as a test: arrows one way, single doors, light imports, small files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Who may be imported by whom, left of the arrow by right of it. Rooms of one layer do not know
# each other, but for the neighbours named in NEIGHBOURS.
LAYERS = [
    {
        "errors",
        "events",
        "cached_attribute",
        "gc_pause",
        "format_units",
        "isolation",
        "redaction",
        "leaderboard",
    },
    {"recipe", "checkpoint", "methods"},
    {"architecture"},
    {"tokens"},
    {"plan"},
    {"engine"},
    {"check", "evaluation"},
    {"lineage"},
    {"hub"},
    {"pipeline"},
    {"cli"},
]
NEIGHBOURS = {("methods", "recipe"), ("methods", "checkpoint")}
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}

DOORS = {
    "lm_eval": ["bot/evaluation/"],
    "huggingface_hub": ["bot/hub/", "leaderboard/hub_store.py", "space_app/"],
    "concurrent": ["bot/engine/", "bot/pipeline/", "space_app/", "leaderboard/hub_store.py"],
    "multiprocessing": [],
    "mergekit": [],
}

LIGHT = [
    "bot.errors", "bot.events", "bot.recipe", "bot.recipe.load_recipe", "bot.checkpoint.header",
    "bot.plan.planner", "bot.lineage", "bot.hub", "leaderboard", "bot.cli",
]  # fmt: skip


def production_files() -> list[Path]:
    files = [
        path for part in ("bot", "leaderboard", "space_app") for path in (ROOT / part).rglob("*.py")
    ]
    assert len(files) > 20
    return sorted(files)


def imported_modules(path: Path) -> Iterator[str]:
    """Every module a file imports, inside functions too; relative imports are resolved."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] == "bot":
        return parts[1] if len(parts) > 1 and parts[1] in RANK else None
    return parts[0] if parts[0] in RANK else None


def back_arrows(here: str, modules: Iterator[str]) -> set[str]:
    wrong = set()
    for module in modules:
        there = room(module)
        if there is None or there == here or (here, there) in NEIGHBOURS:
            continue
        if RANK[there] >= RANK[here]:
            wrong.add(f"{here} -> {there}")
    return wrong


@pytest.mark.parametrize("path", production_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_go_one_way(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    modules = list(imported_modules(path))
    if name.startswith("space_app"):
        bot = {module for module in modules if module.split(".")[0] == "bot"}
        assert all(room(module) in {"recipe", "errors", "isolation", None} for module in bot), bot
    elif name.startswith("leaderboard"):
        assert not {module for module in modules if module.split(".")[0] in {"bot", "torch"}}
    elif (here := room(name)) is not None:
        assert not back_arrows(here, iter(modules))


def test_a_back_arrow_is_seen() -> None:
    assert back_arrows("recipe", iter(["bot.engine.execute"])) == {"recipe -> engine"}
    assert back_arrows("engine", iter(["bot.plan", "bot.methods.core.method_input"])) == set()
    assert back_arrows("plan", iter(["bot.engine"])) == {"plan -> engine"}


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_one_door(library: str) -> None:
    strangers = {
        str(path.relative_to(ROOT))
        for path in production_files()
        if any(module.split(".")[0] == library for module in imported_modules(path))
        and not any(str(path.relative_to(ROOT)).startswith(door) for door in DOORS[library])
    }
    assert not strangers


def test_threads_start_in_few_rooms() -> None:
    """A lock is everyone's; a thread belongs to the engine, the runner, or what serves people."""
    rooms = ("bot/engine/", "bot/pipeline/", "space_app/", "leaderboard/hub_store.py")
    strangers = {
        str(path.relative_to(ROOT))
        for path in production_files()
        if re.search(r"\b(Thread|Timer)\(", path.read_text("utf-8"))
        and not str(path.relative_to(ROOT)).startswith(rooms)
    }
    assert not strangers


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_no_torch(module: str) -> None:
    assert not loaded_by(module) & {"torch", "transformers", "lm_eval"}


def test_a_merge_loads_what_it_needs() -> None:
    """Each of these would be a tenth of a second or more before the first byte is read."""
    loaded = loaded_by(
        "bot.cli.merge, bot.pipeline.merge_recipe, bot.engine.kernels.method_dispatch"
    )
    assert not loaded & {"torch", "scipy.linalg", "pyarrow", "huggingface_hub", "bot.evaluation"}
    assert not loaded & {"numba", "leaderboard.record", "pydantic"}
    assert not loaded & {"importlib.metadata", "rich.progress"}


def test_a_run_that_is_finished_loads_what_it_needs() -> None:
    """It answers in under a second; SciPy alone would take one."""
    loaded = loaded_by("bot.cli.run, bot.cli.stage, bot.pipeline.run_recipe")
    assert not loaded & {"torch", "scipy.stats", "numba", "huggingface_hub", "transformers"}


def loaded_by(modules: str) -> set[str]:
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_files_and_functions_stay_small() -> None:
    too_long = []
    for path in [*production_files(), *sorted((ROOT / "tests").rglob("*.py"))]:
        text = path.read_text("utf-8")
        where = path.relative_to(ROOT)
        if len(text.splitlines()) > 400:
            too_long.append(f"{where}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 60:
                    too_long.append(f"{where}: {node.name} has {length} lines")
    assert not too_long


def test_every_error_class_has_its_own_exit_code() -> None:
    from bot import errors

    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type)
        and issubclass(value, errors.MergebotError)
        and not value.__name__.startswith("_")
    ]
    codes = [value.exit_code for value in classes]
    assert len(classes) > 15
    assert len(set(codes)) == len(codes)
    for value in classes:
        assert f"{value.exit_code}  " in errors.__doc__ + "  ", value
