from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.app import run_command
from bot.cli.output import Output
from space_app.app_context import Context
from space_app.submit.github_links import new_file_link
from space_app.submit.hub_pull_request import HubRequests
from space_app.submit.live_check import check, file_name
from space_app.submit.recipe_form import EXAMPLE, recipe_yaml
from space_app.tabs.submit_tab import checked, from_form, result_html
from tests.hub_server import serve
from tests.leaderboard.markup import accessibility_faults, parse
from tests.present import present
from tests.space.boards import MemoryStore, context
from tests.space.covering import covers

FAULTS = {
    "key": EXAMPLE.replace("weight: 0.4", "wieght: 0.4"),
    "method": EXAMPLE.replace("task_arithmetic", "task_arithmetics"),
    "yaml": "merge_method: [ties\n",
    "twice": EXAMPLE + "dtype: float16\n",
    "anchor": EXAMPLE.replace("weight: 0.7", "weight: &a 0.7"),
    "value": EXAMPLE.replace("weight: 0.7", "weight: high"),
    "empty": "",
    "script": EXAMPLE.replace("my-first-merge", "<script>alert(1)</script>"),
    "deceptive": EXAMPLE.replace("my-first-merge", "my\u202emerge"),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return context(tmp_path_factory.mktemp("submit"))


@covers("SB1")
@pytest.mark.parametrize("text", FAULTS.values(), ids=FAULTS)
def test_the_messages_are_the_command_lines_own(
    shared: Context,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(text, "utf-8")
    arguments = ["validate", "recipe.yaml", "--offline"]
    assert run_command(arguments, Output.from_flags(arguments)) == 3
    words = capsys.readouterr().err
    found = check(text, shared.live.current)
    assert found.recipe is None
    for message in found.messages:
        assert message.rstrip() in words.replace("\n\n", "\n")


@covers("SB2", "SB3")
def test_problems_lead_to_their_lines_and_the_button_says_why_it_is_off(shared: Context) -> None:
    text = FAULTS["key"]
    page = result_html(shared, check(text, shared.live.current), text)
    line = 1 + text[: text.index("wieght")].count("\n")
    tree = parse(page)
    links = [node.attributes.get("data-line") for node in tree.all("a")]
    assert str(line) in links
    assert tree.children[0].attributes["aria-live"] == "polite"
    button = tree.all("button")[-1]
    assert "disabled" in button.attributes
    assert "Fix the problems above first." in page
    assert accessibility_faults(page) == []


def test_strangers_text_in_problems_is_text(shared: Context) -> None:
    page = result_html(shared, check(FAULTS["script"], shared.live.current), FAULTS["script"])
    assert "<script" not in page


@covers("SB3", "SB4")
def test_a_valid_recipe_gets_one_link_with_its_text(shared: Context) -> None:
    page = result_html(shared, check(EXAMPLE, shared.live.current), EXAMPLE)
    link = next(node.attributes["href"] for node in parse(page).all("a"))
    address = urlsplit(link)
    assert address.netloc == "github.com"
    assert address.path == "/org/recipes/new/main/recipes/community"
    query = parse_qs(address.query)
    assert query == {"filename": ["my-first-merge.yaml"], "value": [EXAMPLE]}


@covers("SB6")
def test_a_recipe_that_was_run_links_to_its_model(tmp_path: Path) -> None:
    here = context(tmp_path)
    known = check(EXAMPLE, here.live.current)
    store = here.settings.store
    assert isinstance(store, MemoryStore)
    record = store.records[0]
    facts = record.recipe.model_copy(update={"canonical_hash": known.hash})
    store.records = (record.model_copy(update={"recipe": facts}), *store.records[1:])
    here.live.refresh()
    spaced = EXAMPLE + "\n# the same recipe with a remark\n"
    page = result_html(here, check(spaced, here.live.current), spaced)
    assert "has been run before" in page
    assert "The board has this recipe" in page
    assert "?model=" in page


def test_a_link_that_would_be_too_long_names_the_file_instead() -> None:
    assert new_file_link("org/recipes", "recipes/community/a.yaml", "x" * 8_000) is None
    with pytest.raises(ValueError, match="owner/name"):
        new_file_link("https://evil.example", "a", "b")


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30),
    st.floats(-3, 3, allow_nan=False),
)
def test_the_form_writes_yaml_that_reads_back(name: str, weight: float) -> None:
    text = recipe_yaml(
        name=name, method="ties", base="org/base", models=f"org/a {weight!r}\n\norg/b", dtype="no"
    )
    read = yaml.safe_load(text)
    assert read.get("name", "") == name.strip()
    assert read["models"][0] == {"model": "org/a", "parameters": {"weight": weight}}
    assert read["models"][1] == {"model": "org/b"}
    assert read["dtype"] == "no"


def test_the_example_is_valid_and_has_a_place(shared: Context) -> None:
    found = check(EXAMPLE, shared.live.current)
    assert found.problems == ()
    assert file_name(found) == "recipes/community/my-first-merge.yaml"
    nameless = check(EXAMPLE.replace("name: my-first-merge\n", ""), shared.live.current)
    assert file_name(nameless) == f"recipes/community/recipe-{present(nameless.hash)[:8]}.yaml"


@covers("SB4", "SB7")
def test_a_pull_request_on_the_hub_is_opened_once(tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    with serve(tmp_path) as server:
        token = server.token()
        api = HfApi(endpoint=server.endpoint, token=token)
        api.create_repo("tester/recipes", repo_type="dataset")
        send = {"path": "recipes/community/a.yaml", "text": EXAMPLE, "digest": "d" * 64}
        first = HubRequests("tester/recipes", endpoint=server.endpoint)
        address = first.open(**send, token=token)
        assert first.open(**send, token=token) == address
        after_restart = HubRequests("tester/recipes", endpoint=server.endpoint)
        assert after_restart.open(**send, token=token) == address
        found = list(api.get_repo_discussions("tester/recipes", repo_type="dataset"))
        assert len(found) == 1
        assert token not in address


def test_the_forms_fields_are_texts_of_bounded_length() -> None:
    text = from_form("n" * 1_000_000, None, 3, "a/b 0.5\n" * 1_000_000, ["x"])
    assert len(text) < 200_000
    assert from_form("mine", "linear", "", "a/b 0.5", "float32").startswith("name: mine\n")


def test_a_text_of_megabytes_is_refused_and_not_stored(tmp_path: Path) -> None:
    here = context(tmp_path)
    shown, kept = checked(here, "a: " + "x" * 5_000_000)
    assert "1 problem" in shown
    assert len(shown) < 10_000
    assert len(kept) <= 100_000
