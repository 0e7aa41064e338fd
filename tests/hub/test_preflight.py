"""What would stop a publication after hours of work stops the run before its merge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bot.errors import LicenseError, MergebotError, PublishError
from bot.events import silent
from bot.hub.client import Hub
from bot.hub.hub_parents import DownloadResolver
from bot.pipeline.publishing import Operator
from bot.pipeline.run_folder import RunFolder, StageTools
from bot.pipeline.run_recipe import RunOptions, prepare_run, run
from bot.pipeline.run_settings import PublishSettings, RunSettings
from bot.pipeline.run_stages import run_stages
from bot.pipeline.workspace import Workspace
from bot.recipe.load_recipe import load_recipe
from tests.families import write_family
from tests.hub.prepared import hub_at, push_family, push_model
from tests.hub_server import HubServer, serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def hub(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    return hub_at(server.endpoint, server.token(), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def recipe(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return push_family(hub, tmp_path_factory.mktemp("family"))


def changed(recipe: Path, folder: Path, **changes: object) -> Path:
    """The recipe with other keys, in a folder of its own."""
    content = {**yaml.safe_load(recipe.read_text("utf-8")), **changes}
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(content), "utf-8")
    return file


def refused(recipe: Path, workspace: Path, hub: Hub, **settings: object) -> MergebotError:
    """The error that a run of this recipe with ``--publish`` ends with, before any weight."""

    def operator(asked: RunSettings) -> Operator:
        assert asked.publish is not None
        return Operator(hub=hub, organisation=asked.publish.organisation)

    publish = PublishSettings(organisation="mergebot", **settings)  # type: ignore[arg-type]  # any of its options
    options = RunOptions(suites=(), publish=publish, operator=operator)
    with pytest.raises(MergebotError) as caught:
        run(
            load_recipe(recipe),
            workspace=Workspace(workspace),
            options=options,
            report=silent,
            hub=DownloadResolver(hub),
        )
    assert not list(workspace.glob("merges/*/model*"))
    assert not list(workspace.glob("board/records/*"))
    return caught.value


def test_a_taken_name_is_refused_before_the_merge(recipe: Path, hub: Hub, tmp_path: Path) -> None:
    push_model(hub, recipe.parent / "first", "mergebot/taken-name")
    error = refused(changed(recipe, tmp_path, name="taken-name"), tmp_path / "w", hub)
    assert isinstance(error, PublishError)
    assert "mergebot/taken-name already holds another merge" in error.message


def test_a_card_with_licenses_that_clash_is_refused_before_the_merge(
    recipe: Path, hub: Hub, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    for file in (recipe.parent / "second").iterdir():
        (odd / file.name).write_bytes(file.read_bytes())
    (odd / "README.md").write_text("---\nlicense:\n- gpl-3.0\n- cc-by-nc-4.0\n---\n", "utf-8")
    push_model(hub, odd, "tester/two-licenses")
    text = recipe.read_text("utf-8").replace("tester/second", "tester/two-licenses")
    (tmp_path / "two.yaml").write_text(text.replace("license: apache-2.0\n", ""), "utf-8")
    error = refused(tmp_path / "two.yaml", tmp_path / "w", hub)
    assert isinstance(error, LicenseError)
    assert "tester/two-licenses (gpl-3.0) and tester/two-licenses (cc-by-nc-4.0)" in error.message


def test_local_parents_need_a_flag(recipe: Path, hub: Hub, tmp_path: Path) -> None:
    local = write_family(tmp_path / "local")
    error = refused(local, tmp_path / "w", hub)
    assert isinstance(error, PublishError)
    assert "made from local folders (./first, ./second, ./base)" in error.message
    assert "nobody else can verify it" in error.message
    assert "--allow-local-parents" in (error.hint or "")


def test_with_the_flag_a_merge_of_local_parents_passes(hub: Hub, tmp_path: Path) -> None:
    local = write_family(tmp_path / "local")
    publish = PublishSettings(organisation="mergebot", allow_local_parents=True)
    options = RunOptions(suites=(), publish=publish)
    folder = prepare_run(load_recipe(local), Workspace(tmp_path / "w"), options)
    tools = StageTools(operator=lambda _: Operator(hub=hub, organisation="mergebot"))
    running = RunFolder(folder, tools)
    run_stages(running, ("resolve", "plan", "preflight"))
    assert (folder / "preflight.json").is_file()
