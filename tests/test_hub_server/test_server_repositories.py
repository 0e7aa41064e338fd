"""Accounts, and repositories as named things."""

from __future__ import annotations

import uuid

import pytest
from huggingface_hub import HfApi, ModelCard, ModelCardData, SpaceHardware
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from tests.hub_server import HubServer


def status_of(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return error.value.response.status_code


def test_whoami_names_the_user_and_the_organisations(api: HfApi) -> None:
    me = api.whoami()
    assert me["name"] == "tester"
    assert [org["name"] for org in me["orgs"]] == ["mergebot"]
    assert me["auth"]["accessToken"]["role"] == "write"


def test_an_unknown_token_is_refused(server: HubServer) -> None:
    with pytest.raises(HfHubHTTPError) as error:
        HfApi(endpoint=server.endpoint, token="hf_nobody").model_info("mergebot/any")
    assert status_of(error) == 401
    assert not isinstance(error.value, RepositoryNotFoundError)


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_a_repository_is_created_once_and_deleted(api: HfApi, repo_type: str) -> None:
    repo_id = f"tester/r-{uuid.uuid4().hex[:8]}"
    sdk = "gradio" if repo_type == "space" else None
    url = api.create_repo(repo_id, repo_type=repo_type, space_sdk=sdk)
    assert (url.repo_id, url.repo_type) == (repo_id, repo_type)
    with pytest.raises(HfHubHTTPError) as error:
        api.create_repo(repo_id, repo_type=repo_type, space_sdk=sdk)
    assert status_of(error) == 409
    assert api.create_repo(repo_id, repo_type=repo_type, space_sdk=sdk, exist_ok=True) == url
    assert api.list_repo_files(repo_id, repo_type=repo_type) == [".gitattributes"]
    api.delete_repo(repo_id, repo_type=repo_type)
    assert not api.repo_exists(repo_id, repo_type=repo_type)
    api.delete_repo(repo_id, repo_type=repo_type, missing_ok=True)


def test_types_have_separate_names(api: HfApi, repo: str) -> None:
    assert not api.repo_exists(repo, repo_type="dataset")
    api.create_repo(repo, repo_type="dataset")
    assert api.dataset_info(repo).id == api.model_info(repo).id == repo


def test_a_moved_repository_is_found_under_both_names(api: HfApi, repo: str) -> None:
    sha = api.model_info(repo).sha
    api.move_repo(repo, f"{repo}-moved")
    assert api.model_info(f"{repo}-moved").sha == sha
    assert api.model_info(repo).id == f"{repo}-moved"
    assert api.list_repo_files(repo) == [".gitattributes"]
    assert api.file_exists(repo, ".gitattributes")


def test_settings_hide_and_show(api: HfApi, stranger: HfApi, repo: str) -> None:
    api.update_repo_settings(repo, private=True)
    assert api.model_info(repo).private
    with pytest.raises(RepositoryNotFoundError):
        stranger.model_info(repo)
    api.update_repo_settings(repo, visibility="public", gated="manual")
    assert stranger.model_info(repo).gated == "manual"
    api.update_repo_settings(repo, gated=False)
    assert stranger.model_info(repo).gated is False


def test_a_broken_card_is_refused_before_the_commit(api: HfApi, repo: str) -> None:
    with pytest.raises(ValueError, match="base_model_relation"):
        api.upload_file(
            path_or_fileobj=b"---\nbase_model_relation: cousin\n---\n",
            path_in_repo="README.md",
            repo_id=repo,
        )
    with pytest.warns(UserWarning, match="empty or missing yaml"):
        api.upload_file(path_or_fileobj=b"hello", path_in_repo="README.md", repo_id=repo)


def test_info_reads_the_card(api: HfApi, repo: str) -> None:
    data = ModelCardData(
        license="apache-2.0",
        base_model=["a/x", "b/y"],
        base_model_relation="merge",
        tags=["merge"],
        library_name="transformers",
        pipeline_tag="text-generation",
        language="en",
    )
    content = str(ModelCard(f"---\n{data.to_yaml()}\n---\nhello"))
    api.upload_file(path_or_fileobj=content.encode(), path_in_repo="README.md", repo_id=repo)
    info = api.model_info(repo)
    assert info.card_data is not None
    assert info.card_data.to_dict() == data.to_dict()
    assert info.pipeline_tag == "text-generation"
    assert info.tags is not None
    assert {"merge", "license:apache-2.0", "base_model:merge:a/x", "en"} <= set(info.tags)
    parents: object = api.model_info(repo, expand=["baseModels"]).base_models
    assert parents == {
        "relation": "merge",
        "models": [{"id": "a/x"}, {"id": "b/y"}],
    }


def test_dates_and_odd_numbers_in_a_card_are_answered_as_json(api: HfApi, repo: str) -> None:
    content = b"---\ndate: 2026-11-22\nscore: .nan\n1: one\n---\n"
    api.upload_file(path_or_fileobj=content, path_in_repo="README.md", repo_id=repo)
    card = api.model_info(repo, securityStatus=True).card_data
    assert card is not None
    assert card.to_dict() == {"date": "2026-11-22", "1": "one"}


def test_eval_results_show_which_file_is_wrong(api: HfApi, repo: str) -> None:
    good = b"- dataset: {id: cais/hle, task_id: hle}\n  value: 0.5\n"
    for name, content in (("good", good), ("bad", b"- value: 1\n"), ("worse", b"a: [")):
        api.upload_file(
            path_or_fileobj=content, path_in_repo=f".eval_results/{name}.yaml", repo_id=repo
        )
    info = api.model_info(repo, expand=["evalResults"])
    assert info.eval_results is not None
    assert [(entry.dataset_id, entry.value) for entry in info.eval_results] == [("cais/hle", 0.5)]


def test_lists_filter_by_author_and_tag(api: HfApi, visitor: HfApi, repo: str) -> None:
    tag = uuid.uuid4().hex
    api.upload_file(
        path_or_fileobj=f"---\ntags: [{tag}]\n---\n".encode(),
        path_in_repo="README.md",
        repo_id=repo,
    )
    assert [model.id for model in visitor.list_models(filter=tag)] == [repo]
    assert repo in [model.id for model in visitor.list_models(author="mergebot")]
    assert not list(visitor.list_models(author="nobody"))
    assert not list(visitor.list_datasets(filter=tag))
    api.update_repo_settings(repo, private=True)
    assert not list(visitor.list_models(filter=tag))
    assert [model.id for model in api.list_models(filter=tag)] == [repo]


def test_lists_come_in_pages(api: HfApi, server: HubServer) -> None:
    author = "tester"
    for number in range(5):
        api.create_repo(f"{author}/page-{number}", repo_type="dataset")
    server.dials.page_size = 2
    names = [info.id for info in api.list_datasets(search="page-")]
    assert sorted(names) == [f"{author}/page-{number}" for number in range(5)]
    assert server.requests.count("list") == 3
    assert len(list(api.list_datasets(search="page-", limit=3))) == 3


def test_a_free_plan_pays_for_spaces_only(api: HfApi, server: HubServer) -> None:
    server.dials.free_plan = True
    with pytest.raises(HfHubHTTPError) as error:
        api.create_repo("tester/board", repo_type="space", space_sdk="gradio")
    assert status_of(error) == 402
    api.create_repo("tester/board", repo_type="space", space_sdk="static")
    api.create_repo("tester/board")


def test_a_space_keeps_secrets_variables_and_runtime(api: HfApi) -> None:
    space = "mergebot/space"
    api.create_repo(space, repo_type="space", space_sdk="gradio", space_secrets=[_pair("S", "1")])
    api.add_space_secret(space, "T", "2")
    assert set(api.get_space_secrets(space)) == {"S", "T"}
    api.delete_space_secret(space, "T")
    assert set(api.get_space_secrets(space)) == {"S"}
    assert api.add_space_variable(space, "V", "3")["V"].value == "3"
    assert api.get_space_variables(space)["V"].value == "3"
    assert api.delete_space_variable(space, "V") == {}
    assert api.get_space_runtime(space).stage == "RUNNING"
    assert api.pause_space(space).stage == "PAUSED"
    assert api.restart_space(space).stage == "RUNNING"
    assert api.request_space_hardware(space, SpaceHardware.T4_SMALL).hardware == "t4-small"
    assert api.space_info(space).sdk == "gradio"


def _pair(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}
