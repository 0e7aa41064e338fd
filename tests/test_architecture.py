"""The rules of the code as tests: layers, import cycles, single doors, imports, small files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What stands further up may be imported by what stands further down. Packages and modules of one
# layer do not import each other, except for the pairs in SAME_LAYER.
LAYERS = [
    {
        "errors",
        "events",
        "leaderboard",
        "cached_attribute",
        "format_units",
        "gc_pause",
        "isolation",
        "machine_limits",
        "redaction",
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
    {"__main__"},
]
SAME_LAYER = {("methods", "recipe"), ("methods", "checkpoint")}
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
MOST_SHARED_NAMES = 30

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


def part_of(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] == "bot":
        return parts[1] if len(parts) > 1 and parts[1] in RANK else None
    return parts[0] if parts[0] in RANK else None


def back_arrows(here: str, modules: Iterator[str]) -> set[str]:
    wrong = set()
    for module in modules:
        there = part_of(module)
        if there is None or there == here or (here, there) in SAME_LAYER:
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
        assert all(part_of(module) in {"recipe", "errors", "isolation", None} for module in bot), (
            bot
        )
    elif name.startswith("leaderboard"):
        assert not {module for module in modules if module.split(".")[0] in {"bot", "torch"}}
    elif (here := part_of(name)) is not None:
        assert not back_arrows(here, iter(modules))


def test_a_back_arrow_is_seen() -> None:
    assert back_arrows("recipe", iter(["bot.engine.execute"])) == {"recipe -> engine"}
    assert back_arrows("engine", iter(["bot.plan", "bot.methods.core.method_input"])) == set()
    assert back_arrows("plan", iter(["bot.engine"])) == {"plan -> engine"}


def test_every_package_and_root_module_has_its_layer() -> None:
    """Both ways: nothing is left out, and no layer names what does not exist."""
    there = {
        path.stem
        for path in (ROOT / "bot").iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert set(RANK) == there | {"leaderboard"}
    assert sum(map(len, LAYERS)) == len(RANK)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run_time_imports(path: Path, modules: set[str]) -> set[str]:
    """The modules among ``modules`` that a file imports, in functions too; not for types alone."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*above, node.module] if node.module else above)
            for alias in node.names:  # a module's own package is no import of that package
                inside = f"{module}.{alias.name}"
                found.add(inside if inside in modules else module)
    return (found & modules) - {module_name(path)}


def import_cycle(imports: dict[str, set[str]]) -> list[str] | None:
    """A cycle, as modules that import each other in turn; None where there is none."""
    try:
        tuple(TopologicalSorter(imports).static_order())
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return None


def test_no_modules_import_each_other_in_a_cycle() -> None:
    """Over all packages and inside each; imports inside functions count."""
    modules = {module_name(path): path for path in production_files()}
    imports = {name: run_time_imports(path, set(modules)) for name, path in modules.items()}
    assert sum(map(len, imports.values())) > 1000
    assert import_cycle(imports) is None


def test_a_cycle_is_seen() -> None:
    lazy = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    cycle = import_cycle(lazy)
    assert cycle is not None
    assert set(cycle) == {"a", "b", "c"}
    assert import_cycle({"a": {"b"}, "b": {"c"}}) is None


def test_imports_in_functions_count_and_those_for_types_do_not() -> None:
    modules = {module_name(path) for path in production_files()}
    found = run_time_imports(ROOT / "bot/engine/devices.py", modules)
    assert "bot.engine.gpu.torch_device" in found
    types = run_time_imports(ROOT / "bot/cli/options.py", modules)
    assert "bot.pipeline.workspace" in types


def test_few_files_share_a_base_name() -> None:
    names = Counter(path.stem for path in production_files() if path.stem != "__init__")
    shared = {name: count for name, count in names.items() if count > 1}
    assert sum(shared.values()) <= MOST_SHARED_NAMES, shared


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_one_door(library: str) -> None:
    others = {
        str(path.relative_to(ROOT))
        for path in production_files()
        if any(module.split(".")[0] == library for module in imported_modules(path))
        and not any(str(path.relative_to(ROOT)).startswith(door) for door in DOORS[library])
    }
    assert not others


def test_threads_start_in_few_packages() -> None:
    """Any module may use a lock; threads start in the engine, the pipeline and servers."""
    allowed = ("bot/engine/", "bot/pipeline/", "space_app/", "leaderboard/hub_store.py")
    others = {
        str(path.relative_to(ROOT))
        for path in production_files()
        if re.search(r"\b(Thread|Timer)\(", path.read_text("utf-8"))
        and not str(path.relative_to(ROOT)).startswith(allowed)
    }
    assert not others


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
