"""Recipes that multiply are refused before the work: at their place, in little time and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import PlanError
from bot.methods.core.all_methods import catalogue
from bot.plan.planner import MOST_TENSORS, make_plans
from bot.recipe.sweep import parse_sweep
from tests.plan.parents import by_ref, llama
from tests.plan.recipes import plan_of

ONE = "- sources: [{model: org/a, layer_range: [0, 4]}]\n"
PER_LAYER, OUTSIDE = 9, 3
"""Tensors of a Llama block, and those before and after the blocks."""


def swept(slices: int, variants: int) -> str:
    values = ", ".join(str(number / 1000) for number in range(1, variants + 1))
    return (
        "merge_method: passthrough\nslices:\n" + ONE * slices
        + f"parameters: {{scale: {{sweep: [{values}]}}}}\n"
    )  # fmt: skip


def test_variants_times_tensors_are_counted_before_the_second_plan() -> None:
    found = parse_sweep(swept(60, 30), "r.yaml")
    tensors = 60 * 4 * PER_LAYER + OUTSIDE
    with pytest.raises(PlanError) as caught:
        make_plans(
            [variant.parsed for variant in found],
            by_ref(llama("org/a")),
            catalogue(),
            sweep_at=found[0].sweep_at,
        )
    (problem,) = caught.value.problems()
    assert (problem.file, problem.line, problem.column) == ("r.yaml", 63, 21)
    assert f"30 variants x {tensors:,} tensors with {tensors:,} inputs" in problem.message
    assert f"{30 * 2 * tensors:,} tensors to plan" in problem.message
    most = MOST_TENSORS // (2 * tensors)
    assert problem.hint == f"list at most {most} variants in one recipe"
    fewer = parse_sweep(swept(60, most), "r.yaml")
    plans = make_plans([v.parsed for v in fewer], by_ref(llama("org/a")), catalogue())
    assert len(plans) == most


def test_slices_that_make_too_many_tensors_are_refused(tmp_path: Path) -> None:
    text = "merge_method: passthrough\nslices:\n" + ONE * 20
    deep = llama("org/a", num_hidden_layers=150)
    wide = text.replace("[0, 4]", "[0, 150]")
    with pytest.raises(PlanError, match=r"more than 40,000 output tensors and inputs"):
        plan_of(tmp_path, wide, deep)
    assert plan_of(tmp_path, text, deep).jobs


def test_a_parent_with_many_tensors_is_merged_as_it_is(tmp_path: Path) -> None:
    large = llama("org/a", num_hidden_layers=3000)
    text = "merge_method: passthrough\nmodels: [{model: org/a}]\n"
    assert len(plan_of(tmp_path, text, large).jobs) == 3000 * PER_LAYER + OUTSIDE


def test_variants_share_their_side_files() -> None:
    found = parse_sweep(swept(1, 3), "r.yaml")
    plans = make_plans([v.parsed for v in found], by_ref(llama("org/a")), catalogue())
    assert [plan.jobs[5].parameters["scale"] for plan in plans] == [(0.001,), (0.002,), (0.003,)]
    assert all(plan.files is plans[0].files for plan in plans)
    assert len({plan.digest for plan in plans}) == 3


def test_variants_are_planned_as_each_would_be_alone(tmp_path: Path) -> None:
    found = parse_sweep(swept(3, 2), "r.yaml")
    plans = make_plans([v.parsed for v in found], by_ref(llama("org/a")), catalogue())
    alone = [plan_of(tmp_path, variant.recipe.text, llama("org/a")) for variant in found]
    assert [plan.digest for plan in plans] == [plan.digest for plan in alone]
    assert [plan.warnings for plan in plans] == [plan.warnings for plan in alone]


MEASURED = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "bot", "validate", sys.argv[1]], capture_output=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slices", "variants", "code"), [(170, 255, 3), (170, 24, 3), (60, 30, 4), (60, 9, 0)]
)
def test_checking_a_recipe_takes_two_processor_seconds_and_300_mb(
    tmp_path: Path, slices: int, variants: int, code: int
) -> None:
    model = Path(__file__).parents[2] / "recipes/skills/models/skills-base"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(swept(slices, variants).replace("org/a", str(model)))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(recipe)], capture_output=True, text=True, check=True
    )
    ended, seconds, kilobytes = done.stdout.split()
    assert int(ended) == code
    assert float(seconds) < 2
    assert int(kilobytes) < 300_000
