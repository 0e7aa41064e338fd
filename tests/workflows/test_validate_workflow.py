"""``validate.yml``: its steps, run as written over repositories that a stranger could propose."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.workflows.workspace import ROOT, Workspace, git, steps, workflow

GOOD = """\
name: {name}
license: apache-2.0
authors: [someone]
suites: [skills]
merge_method: linear
models:
  - {{model: tester/one, parameters: {{weight: 0.5}}}}
  - {{model: tester/two, parameters: {{weight: 0.5}}}}
"""
BROKEN = GOOD.replace("merge_method: linear", "merge_method: lineer")


def recipes(*names: str, text: str = BROKEN) -> dict[str, str | bytes]:
    return {f"recipes/community/{name}.yaml": text.format(name=name) for name in names}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    # No Hub: a valid recipe ends with "out of reach", an invalid one before it.
    return Workspace(tmp_path, {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"})


def test_a_pull_request_without_recipes_passes(workspace: Workspace) -> None:
    workspace.propose({"bot/code.py": "print()\n", "recipes/community/README.md": "words\n"})
    assert workspace.run()[0]
    assert workspace.summary == ""


def test_every_changed_recipe_is_reported_and_no_other(workspace: Workspace) -> None:
    workspace.write(recipes("old"))
    workspace.commit("an older recipe")
    names = [f"r{number}" for number in range(12)]
    workspace.propose(recipes(*names))
    passed, printed = workspace.run()
    assert not passed
    assert workspace.summary.count("unknown merge method") == len(names)
    assert all(f"{name}.yaml" in workspace.summary for name in names)
    assert "old" not in workspace.summary
    lines = printed.splitlines()
    (start,) = [n for n, line in enumerate(lines) if line.startswith("::stop-commands::")]
    assert lines[start].removeprefix("::stop-commands::") in printed.split("::")


def test_commands_in_a_recipe_are_not_obeyed_by_the_runner(workspace: Workspace) -> None:
    hostile = GOOD.replace("tester/one", '"::add-mask::x\\n::set-output name=a::b"')
    workspace.propose(recipes("hostile", text=hostile))
    passed, printed = workspace.run()
    assert not passed
    (token,) = set(re.findall(r"^::stop-commands::([0-9a-f]{32})$", printed, re.MULTILINE))
    before, _, after = printed.partition(f"::stop-commands::{token}\n")
    inside, ended, rest = after.partition(f"::{token}::\n")
    assert ended
    assert "add-mask" in inside
    assert "add-mask" not in before + rest
    assert not any(line.startswith("::") for line in (before + rest).splitlines())


def test_yml_is_checked_too_and_asked_to_be_renamed(workspace: Workspace) -> None:
    workspace.propose({"recipes/community/a.yml": GOOD.format(name="a")})
    assert not workspace.run()[0]
    assert "a.yml" in workspace.summary
    assert "rename it to a.yaml" in workspace.summary


@pytest.mark.parametrize("field", ["name", "license", "authors", "suites"])
def test_required_fields_are_enforced(workspace: Workspace, field: str) -> None:
    text = re.sub(rf"(?m)^{field}:.*\n", "", GOOD.format(name="a"))
    workspace.propose({"recipes/community/a.yaml": text})
    assert not workspace.run()[0]
    assert f"a community recipe needs `{field}`" in workspace.summary.replace("\\", "")


@pytest.mark.parametrize(
    "beside",
    ["bot/code.py", "recipes/skills/a.yaml", "recipes/community/sub/a.yaml", ".github/x.yml",
     "recipes/community/a\n.py"],
)  # fmt: skip
def test_a_recipe_changes_nothing_else(workspace: Workspace, beside: str) -> None:
    workspace.propose(recipes("mine", text=GOOD) | {beside: "x\n"})
    assert not workspace.run()[0]
    assert "changes nothing else" in workspace.summary
    assert "mine" not in workspace.summary


def test_deleting_code_beside_a_recipe_is_a_change_too(workspace: Workspace) -> None:
    workspace.propose(recipes("mine", text=GOOD), gone=("README.md",))
    assert not workspace.run()[0]
    assert "README.md" in workspace.summary


def test_maintenance_may_change_both(workspace: Workspace) -> None:
    workspace.propose(recipes("mine") | {"bot/code.py": "x\n"})
    assert not workspace.run(alone=False)[0]
    assert "unknown merge method" in workspace.summary


@pytest.mark.parametrize("path", ["recipes", "recipes/community", "recipes/community/a.yaml"])
def test_links_are_refused_at_every_depth(workspace: Workspace, path: str) -> None:
    git(workspace.proposed, "checkout", "-q", "-b", "theirs")
    target = workspace.proposed / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(workspace.folder / "elsewhere", target_is_directory=True)
    workspace.commit("a link")
    git(workspace.proposed, "checkout", "-q", "main")
    git(workspace.proposed, "merge", "-q", "--no-ff", "-m", "merge", "theirs")
    assert not workspace.run(alone=False)[0]
    assert "symbolic link" in workspace.summary


def test_local_parents_are_refused(workspace: Workspace) -> None:
    (workspace.folder / "models").symlink_to(ROOT / "recipes/skills/models")
    workspace.propose(
        recipes("mine", text=GOOD.replace("tester/one", "../../../models/skills-base"))
    )
    assert not workspace.run()[0]
    assert "leads out of the repository" in workspace.summary


def test_a_merge_group_is_compared_with_its_base(workspace: Workspace) -> None:
    base = git(workspace.proposed, "rev-parse", "HEAD")
    for name in ("first", "second"):
        workspace.write(recipes(name))
        workspace.commit(name)
    workspace.write({"bot/code.py": "x\n"})
    workspace.commit("another pull request of the group")
    assert not workspace.run(base=base, alone=False)[0]
    assert all(f"{name}.yaml" in workspace.summary for name in ("first", "second"))


def test_a_deleted_recipe_is_not_checked(workspace: Workspace) -> None:
    workspace.write(recipes("old"))
    workspace.commit("an older recipe")
    workspace.propose({}, gone=("recipes/community/old.yaml",))
    assert workspace.run()[0]


def test_the_trusted_code_is_the_bases() -> None:
    text = workflow()["jobs"]["recipes"]["steps"][0]["with"]["ref"]
    assert "github.event.merge_group.base_sha" in text
    assert "github.event.pull_request.base.sha" in text
    assert "github.sha" not in text
    assert "github.event.merge_group.base_sha" in workflow()["jobs"]["recipes"]["env"]["BASE"]


def test_only_the_trusted_checkout_is_run() -> None:
    for step in steps():
        assert not re.search(r"(python3?|bash|sh|pip|make|source) [^|\n]*proposed", step["run"])
        assert "${{" not in step["run"]


def test_installs_are_pinned_by_hash() -> None:
    text = (ROOT / ".github/validate-requirements.txt").read_text("utf-8")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", text, re.MULTILINE))
    constraints = dict(
        line.lower().replace("_", "-").split("==", 1)
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line
    )
    assert pinned == {name: constraints[name] for name in pinned}
    for block in re.split(r"\n(?=[a-z0-9-]+==)", text.split("\n", 5)[5]):
        assert "--hash=sha256:" in block
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    wanted = re.findall(r'^  "([a-z_-]+)>=', project.split("[project.optional")[0], re.MULTILINE)
    assert {name.lower().replace("_", "-") for name in wanted} <= pinned.keys()
    assert f'requires = ["setuptools=={pinned["setuptools"]}"]' in project
