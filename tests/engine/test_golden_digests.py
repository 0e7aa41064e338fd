"""Merges give the bytes that they gave at the commit named in ``golden/merge_digests.json``.

Every recipe in ``recipes/skills`` and every case of the benchmark over its generated models of 20 M
parameters. Digests of methods that use exp, SVD or solvers hold for one class of processors and are
compared only there.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.checkpoints import build
from benchmarks.recipes import CASES
from bot.methods.core.all_methods import catalogue
from bot.pipeline.machine_info import cpu_class
from bot.recipe.load_recipe import load_recipe
from tests.cli.commands import run

ROOT = Path(__file__).parents[2]
SKILLS = ROOT / "recipes/skills"
GOLDEN = json.loads((Path(__file__).parent / "golden/merge_digests.json").read_text("utf-8"))
QUICK = {
    "breadcrumbs_ties",
    "dare_ties",
    "linear",
    "model_stock",
    "nearswap",
    "sce",
    "slerp",
    "ties, scope model",
}
"""One of most families; the others are slow tests."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark's base and fine-tunes."""
    return build(tmp_path_factory.mktemp("golden"), "20M")


def require_same_digest(recipe: Path, out: Path, digest: str) -> None:
    """Merge and compare, unless the digest holds for another class of processors."""
    method = load_recipe(recipe).merge_method
    here, there = cpu_class(), GOLDEN["cpu"]
    if catalogue()[method].exact == "host class" and here != there:
        print(f"{method}: not compared, the digest was made on {there} and this is {here}")
        return
    done = run("merge", recipe, out, "--json")
    assert done.code == 0, done.err
    assert done.json()["model_digest"] == digest


def test_every_recipe_has_a_digest() -> None:
    assert set(GOLDEN["recipes/skills"]) == {path.stem for path in SKILLS.glob("*.yaml")}
    assert set(GOLDEN["benchmarks 20M"]) == set(CASES)
    assert set(CASES) > QUICK


@pytest.mark.parametrize("name", sorted(GOLDEN["recipes/skills"]))
def test_a_recipe_of_the_offline_family(name: str, tmp_path: Path) -> None:
    digest = GOLDEN["recipes/skills"][name]
    require_same_digest(SKILLS / f"{name}.yaml", tmp_path / "model", digest)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_a_case_of_the_benchmark(name: str, models: Path, tmp_path: Path) -> None:
    digest = GOLDEN["benchmarks 20M"][name]
    require_same_digest(CASES[name].write(models), tmp_path / "model", digest)
