"""What the registry tells the rest of the house, and people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

import bot.recipe
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.memory_checkpoint import MemorySink
from bot.engine.execute import execute
from bot.methods.core import all_methods as module
from bot.methods.core.all_methods import catalogue, describe, signatures
from bot.methods.core.describe_method import BASE, MODELS
from bot.methods.core.method_input import Array, Block, Span
from bot.methods.core.registry import Method, PerModel, Range, merge_method
from bot.plan.open_sources import open_sources
from bot.plan.parent_model import Parent
from bot.plan.planner import make_plan
from bot.recipe.load_recipe import load_recipe
from bot.recipe.method_signature import load_signatures
from tests.plan.parents import by_ref, llama
from tests.tokens.made import CORPUS, bpe, write_llama

NAMES = sorted(catalogue())


def test_the_signatures_beside_the_recipes_are_fresh() -> None:
    committed = Path(bot.recipe.__file__).with_name("signatures.json")
    assert committed.read_text() == signatures()
    assert load_signatures() == {name: method.signature for name, method in catalogue().items()}


def test_every_method_stands_in_a_listed_family() -> None:
    found = {method.function.__module__ for method in catalogue().values()}
    assert found == {one.__name__ for one in module.MODULES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny models of the names that examples use."""
    root = tmp_path_factory.mktemp("skills")
    (root / "models").mkdir()
    for seed, name in enumerate((BASE, *MODELS)):
        write_llama(root / "models" / name, bpe(CORPUS, 40), seed=seed)
    return root


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_a_recipe_that_runs(name: str, folder: Path) -> None:
    file = folder / "example.yaml"
    file.write_text(describe(name).example)
    recipe = load_recipe(file)
    assert recipe.merge_method == name
    parents = {
        ref: Parent(key=ref.name, ref=ref, source=FolderSource(folder / ref.path))
        for ref in recipe.references()
    }
    plan = make_plan(recipe, parents, catalogue())
    assert {job.method for job in plan.jobs} <= {name, None}
    sink = MemorySink()
    assert execute(plan, open_sources(plan, parents.values()), sink, threads=1)
    assert set(sink.tensors) == {job.output.name for job in plan.jobs}


def test_nearswaps_example_stops_most_elements_on_their_way() -> None:
    """With a t above what fine-tuning changes it would show a copy of the other model."""
    recipe = yaml.safe_load(describe("nearswap").example)
    family = Path(__file__).parents[2] / "recipes/skills/models"
    there = [load_file(family / name / "model.safetensors") for name in (BASE, MODELS[0])]
    moved = [
        np.abs(there[1][name] - there[0][name]) > recipe["parameters"]["t"] for name in there[0]
    ]
    assert sum(part.sum() for part in moved) > sum(part.size for part in moved) / 2


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_every_parameter_with_its_range(name: str) -> None:
    page = describe(name)
    for param in catalogue()[name].signature.parameters:
        (line,) = (row for row in page.parameters if row.startswith(f"{param.name} ("))
        assert param.description in line
        if param.maximum is not None:
            assert f"{param.maximum:g}" in line


def test_lines_is_a_gradient_of_lambda(tmp_path: Path) -> None:
    file = tmp_path / "lines.yaml"
    start, rise, layers = 0.2, 0.6, 4
    file.write_text(
        "merge_method: task_arithmetic\nbase_model: ./base\ndtype: float32\n"
        f"models: [{{model: ./a, parameters: {{weight: 1.0}}}}]\n"
        f"parameters: {{lambda: [{start}, {start + rise}]}}\n"
    )
    recipe = load_recipe(file)
    parents = by_ref(*(llama(str(ref)) for ref in recipe.references()))
    for job in make_plan(recipe, parents, catalogue()).jobs:
        parts = job.output.name.split(".")
        layer = int(parts[2]) if parts[1] == "layers" else 0
        expected = start + rise * layer / (layers - 1)
        assert job.parameters["lambda"] == pytest.approx(expected)


def test_a_function_becomes_a_method_and_stays_a_function() -> None:
    def halve(x: Block, *, share: Annotated[PerModel[float], Range(0, 1)]) -> Array:
        """Half of the first model."""
        return x.models[0] * share[0]

    mine: dict[str, Method] = {}
    register = merge_method("halve", title="Halve", into=mine)
    assert register(halve) is halve
    assert "halve" not in catalogue()
    method = mine["halve"]
    assert method.signature.summary == "Half of the first model."
    (param,) = method.signature.parameters
    assert (param.scope, param.maximum, param.required) == ("per_model", 1, True)
    assert vars(method.arguments({"share": 0.5}, 2)) == {"share": (0.5, 0.5)}
    with pytest.raises(ValueError, match="two merge methods"):
        register(halve)


def test_a_block_without_a_base_has_no_deltas() -> None:
    block = Block(models=(np.ones(3, np.float32),), base=None, span=Span(0, 3, 3), shape=(3,))
    with pytest.raises(ValueError, match="base"):
        _ = block.deltas
