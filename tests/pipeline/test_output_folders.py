"""Outputs that cannot be: refused before anything is merged, with every parent where it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.families import write_family
from tests.mounts import mounted


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_family(tmp_path)


@pytest.mark.parametrize("lock", [(), ("--lock",)])
def test_a_parent_where_the_merge_would_be_made_is_kept(
    recipe: Path, tmp_path: Path, lock: tuple[str, ...]
) -> None:
    (tmp_path / "first").rename(tmp_path / "out.partial")
    recipe.write_text(recipe.read_text().replace("./first", "./out.partial"))
    done = run("merge", recipe, tmp_path / "out", *lock)
    assert done.code == 2
    assert "a parent of the merge, stands in" in done.err
    assert (tmp_path / "out.partial/model.safetensors").is_file()


def test_a_parent_inside_the_place_where_the_merge_would_be_made_is_kept(
    recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "first").rename(tmp_path / "out.partial/first")
    recipe.write_text(recipe.read_text().replace("./first", "./out.partial/first"))
    assert run("merge", recipe, tmp_path / "out").code == 2
    assert (tmp_path / "out.partial/first/model.safetensors").is_file()


@pytest.mark.parametrize(("out", "says"), [("first", "is first"), ("first/out", "lies inside")])
def test_an_output_in_a_parent_is_refused(
    recipe: Path, tmp_path: Path, out: str, says: str
) -> None:
    before = sorted((tmp_path / "first").iterdir())
    done = run("merge", recipe, tmp_path / out)
    assert done.code == 2
    assert says in done.err
    assert sorted((tmp_path / "first").iterdir()) == before


def test_the_root_is_refused(recipe: Path) -> None:
    done = run("merge", recipe, "/")
    assert done.code == 2
    assert "/model" in done.err


def test_the_folder_one_is_in_is_refused(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = run("merge", recipe, ".")
    assert done.code == 2
    assert "is the folder you are in" in done.err
    assert run("merge", recipe, "model").code == 0
    monkeypatch.chdir("model")
    assert run("merge", recipe, ".").code == 0


if os.geteuid() == 0:  # only root may mount

    def test_a_mount_point_is_refused_before_the_merge(recipe: Path, tmp_path: Path) -> None:
        with mounted(tmp_path / "mounted", "9m") as place:
            done = run("merge", recipe, place)
            assert done.code == 2
            assert str(place / "model") in done.err
            assert not place.with_name("mounted.partial").exists()
            assert run("merge", recipe, place / "model").code == 0
