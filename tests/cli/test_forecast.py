"""What ``validate`` and ``plan`` say about a recipe before any weight is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli.error_report import explain
from bot.cli.validate import ValidationResult, markdown_report
from bot.errors import AccessError, HubError
from tests.cli.commands import run
from tests.families import RECIPE, write_family

SWEEP = RECIPE.replace("density: 0.3", "density: {sweep: [0.3, 0.6]}").replace(
    "weight: 0.5,", "weight: {sweep: [0.4, 0.5, 0.6]},"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forecast")
    write_family(folder)
    return folder


def written(place: Path, name: str, text: str) -> Path:
    file = place / name
    file.write_text(text)
    return file


def test_a_sweep_is_valid_and_says_how_many_it_is(place: Path) -> None:
    file = written(place, "sweep.yaml", SWEEP)
    told = run("validate", file)
    assert told.code == 0
    assert "sweep of 6 variants: ties of 3 models, 39 tensors" in told.out
    (found,) = run("validate", file, "--json").json()["recipes"]
    assert found["valid"]
    assert len(found["variants"]) == 6
    assert found["variants"][0] == {
        "models[0].parameters.weight": 0.4, "models[1].parameters.density": 0.3,
    }  # fmt: skip


def test_a_recipe_without_sweep_has_no_variants(place: Path) -> None:
    (found,) = run("validate", place / "recipe.yaml", "--json").json()["recipes"]
    assert found["variants"] == []
    assert "sweep" not in run("validate", place / "recipe.yaml").out


def test_a_sweeps_problem_is_told_once_at_its_line_of_the_file(place: Path) -> None:
    lost = written(place, "lost.yaml", "# a line\n" + SWEEP.replace("./second", "./gone"))
    (found,) = run("validate", lost, "--json").json()["recipes"]
    assert [problem["line"] for problem in found["problems"]] == [7]


def test_what_does_not_fit_in_any_variant_is_told_once(place: Path) -> None:
    thin = SWEEP.replace("ties", "della").replace("[0.3, 0.6]", "[0.3, 0.1]")
    told = run("validate", written(place, "thin.yaml", thin), "--json")
    assert told.code == 4
    (problem,) = told.json()["recipes"][0]["problems"]
    assert "density 0.1 with epsilon 0.15" in problem["message"]


def test_the_plan_of_a_sweep_is_its_first_with_what_differs(place: Path) -> None:
    file = written(place, "sweep.yaml", SWEEP)
    told = run("plan", file)
    assert told.code == 0
    assert "the first of a sweep's 6 variants" in told.out
    assert "models[0].parameters.weight: 0.4, 0.5, 0.6" in told.out
    data = run("plan", file, "--json").json()
    assert len(data["variants"]) == 6
    assert data["tensors"][0]["parameters"]["density"] == [0.5, 0.3]
    assert run("plan", file, "--diagnose").code == 0


def test_unknown_suites_are_told_beside_all_else(place: Path) -> None:
    text = RECIPE.replace("[skills]", "[skils, quik]").replace("density: 0.3", "densty: 0.3")
    told = run("validate", written(place, "suites.yaml", text), "--json")
    assert told.code == 3
    problems = told.json()["recipes"][0]["problems"]
    assert [problem["line"] for problem in problems] == [7, 10, 10]
    assert "did you mean `skills`" in problems[1]["hint"]
    assert "did you mean `quick`" in problems[2]["hint"]


def test_a_filter_that_matches_nothing_is_told(place: Path) -> None:
    rows = "density: [{filter: nosuch, value: 0.1}, {filter: mlp, value: 0.2}, {value: 0.3}]"
    file = written(place, "filter.yaml", RECIPE.replace("density: 0.3", rows))
    for words in (["validate", file], ["plan", file], ["merge", file, place / "filtered"]):
        told = run(*words)
        assert told.code == 0
        assert "filter `nosuch` of density matches no tensor" in told.err
        assert "`mlp`" not in told.err


def test_a_filter_after_one_that_matches_is_no_mistake(place: Path) -> None:
    rows = "density: [{value: 0.3}, {filter: mlp, value: 0.2}]"
    file = written(place, "later.yaml", RECIPE.replace("density: 0.3", rows))
    assert run("validate", file).err == ""


def test_community_recipes_must_keep_their_rules(place: Path) -> None:
    community = place / "recipes" / "community"
    community.mkdir(parents=True)
    file = written(community, "mine.yaml", RECIPE)
    ended = run("validate", file, "--json")
    assert ended.code == 3
    found = [problem["message"] for problem in ended.json()["recipes"][0]["problems"]]
    assert "a community recipe needs `license`" in found
    assert any("is a local path" in message for message in found)


def test_one_recipe_ends_no_others_check(place: Path) -> None:
    report = place / "report.md"
    broken = written(place, "broken.yaml", "merge_method: [")
    many = [place / "recipe.yaml", broken, place / "no-such-file.yaml", place / "recipe.yaml"]
    ended = run("validate", *many, "--report", report, "--json")
    assert [found["valid"] for found in ended.json()["recipes"]] == [True, False, False, True]
    assert report.read_text("utf-8").count("### ") == 4


def test_a_report_is_cut_before_github_refuses_it(place: Path) -> None:
    report = place / "long.md"
    wrong = "merge_method: linear\nmodels: []\n" + "".join(
        f"k{n}{'x' * 200}: 1\n" for n in range(150)
    )
    file = written(place, "wrong.yaml", wrong)
    assert run("validate", *[file] * 60, "--report", report).code == 3
    text = report.read_text("utf-8")
    assert len(text.encode()) < 1 << 20
    assert "and 101 more" in text or "and 102 more" in text
    assert "more recipes are left out" in text


def test_a_gated_parent_is_answered_with_what_a_maintainer_must_do() -> None:
    for error, answered in ((AccessError("acme/one is gated"), True), (HubError("down"), False)):
        report = markdown_report([ValidationResult(Path("a.yaml"), failure=explain(error))])
        assert ("A maintainer whose account has access must run" in report) is answered


def test_the_peak_memory_follows_threads_and_the_limit(place: Path) -> None:
    def peak(*options: object) -> int:
        found = run("plan", place / "recipe.yaml", "--json", *options).json()
        return int(found["budget"]["peak_memory_bytes"])

    few, many = (peak("--threads", threads, "--memory", "100GB") for threads in (1, 64))
    assert few < many
    limit = (few + many) // 2
    assert few < peak("--threads", 64, "--memory", str(limit)) <= limit


def test_a_merge_that_does_not_fit_into_memory_is_planned_with_a_note(place: Path) -> None:
    told = run("plan", place / "recipe.yaml", "--memory", "1MB")
    assert told.code == 0
    assert "needs more than the 1.0 MB it may use" in told.err
    refused = run("merge", place / "recipe.yaml", place / "out", "--memory", "1MB")
    assert refused.code == 6
    assert "--memory" in refused.err
