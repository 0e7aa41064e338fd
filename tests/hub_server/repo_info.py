"""The description of a repository at a commit, as the info routes and the lists give it."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from math import prod

import yaml
from pydantic import BaseModel, NonNegativeInt, ValidationError

from tests.hub_server.card import base_models, card_tags, front_matter, parse_yaml
from tests.hub_server.hub import Hub
from tests.hub_server.names import RepoType
from tests.hub_server.routes.files import file_node
from tests.hub_server.storage.history import MAIN, Commit, Entry, Tree
from tests.hub_server.storage.repositories import Repo

_CARD_LIMIT = 1 << 20
_HEADER_LIMIT = 25_000_000


def repo_info(hub: Hub, repo: Repo, commit: Commit, *, blobs: bool = False) -> dict[str, object]:
    """All fields; `blobs` adds sizes and digests to the siblings."""
    tree = hub.history.tree(commit)
    card = _card(hub, tree)
    info = {
        **_summary(repo),
        "sha": commit.oid,
        "lastModified": commit.date,
        "tags": card_tags(card),
        "cardData": card,
        "siblings": [_sibling(entry, blobs=blobs) for entry in tree.values()],
        "usedStorage": sum(entry.size for entry in tree.values()),
    }
    if repo.name.type is RepoType.MODEL:
        info |= _model_fields(hub, tree, card)
    if repo.name.type is RepoType.SPACE:
        info |= {"sdk": repo.sdk, "runtime": space_runtime(hub, repo)}
    return info


def listed_info(hub: Hub, repo: Repo) -> dict[str, object]:
    """What a list shows of a repository: its head of main, without files."""
    head = hub.history.resolve(repo, MAIN)
    if head is None:
        return _summary(repo)
    info = repo_info(hub, repo, head)
    del info["siblings"]
    return info


def space_runtime(hub: Hub, repo: Repo) -> dict[str, object]:
    """A Space here never builds: it runs as soon as it exists, or is paused."""
    values = {key: item["value"] for key, item in hub.spaces.all(repo, "runtime").items()}
    hardware = values.get("hardware", "cpu-basic")
    return {
        "stage": values.get("stage", "RUNNING"),
        "hardware": {"current": hardware, "requested": hardware},
        "gcTimeout": int(values.get("sleepTimeSeconds") or 0) or None,
        "storage": None,
        "sdk": repo.sdk,
    }


def _summary(repo: Repo) -> dict[str, object]:
    return {
        "_id": f"{repo.key:024x}",
        "id": repo.name.id,
        f"{repo.name.type}Id": repo.name.id,
        "author": repo.name.namespace,
        "createdAt": repo.created_at,
        "private": repo.private,
        "visibility": repo.visibility,
        "gated": repo.gated or False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
    }


def _sibling(entry: Entry, *, blobs: bool) -> dict[str, object]:
    sibling: dict[str, object] = {"rfilename": entry.path}
    if blobs:
        sibling |= {"size": entry.size, "blobId": entry.oid}
        lfs = file_node(entry).get("lfs")
        if isinstance(lfs, dict):
            sibling["lfs"] = {**lfs, "sha256": lfs["oid"]}
    return sibling


def _card(hub: Hub, tree: Tree) -> dict[str, object]:
    readme = tree.get("README.md")
    if readme is None:
        return {}
    return front_matter(hub.blobs.read(readme.sha256, _CARD_LIMIT).decode(errors="replace"))


def _model_fields(hub: Hub, tree: Tree, card: dict[str, object]) -> dict[str, object]:
    copied = ("pipeline_tag", "library_name", "model-index")
    fields: dict[str, object] = {"spaces": []}
    fields |= {key: card[key] for key in copied if key in card}
    parents = base_models(card)
    if parents is not None:
        fields["baseModels"] = parents
    parameters = _parameter_counts(hub, tree)
    if parameters:
        fields["safetensors"] = {"parameters": parameters, "total": sum(parameters.values())}
    results = _eval_results(hub, tree)
    if results:
        fields["evalResults"] = results
    return fields


def _parameter_counts(hub: Hub, tree: Tree) -> dict[str, int]:
    """Elements per dtype over the safetensors files at the root; what is malformed counts 0."""
    counts: Counter[str] = Counter()
    for path, entry in tree.items():
        if path.endswith(".safetensors") and "/" not in path:
            for tensor in safetensors_header(hub, entry).values():
                with suppress(ValidationError):
                    described = _Tensor.model_validate(tensor)
                    counts[described.dtype] += prod(described.shape)
    return dict(counts)


class _Tensor(BaseModel, strict=True):
    dtype: str
    shape: list[NonNegativeInt]


def safetensors_header(hub: Hub, entry: Entry) -> dict[str, object]:
    """The JSON header of a stored file; empty when it has none."""
    length = int.from_bytes(hub.blobs.read(entry.sha256, 8), "little")
    if not 0 < length <= min(_HEADER_LIMIT, entry.size - 8):
        return {}
    try:
        header = json.loads(hub.blobs.read(entry.sha256, 8 + length)[8:])
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _eval_results(hub: Hub, tree: Tree) -> list[dict[str, object]]:
    """The entries of `.eval_results/*.yaml`, or what is wrong with a file."""
    results: list[dict[str, object]] = []
    for path, entry in tree.items():
        if path.startswith(".eval_results/") and path.endswith((".yaml", ".yml")):
            name = path.rpartition("/")[2]
            try:
                data = parse_yaml(
                    hub.blobs.read(entry.sha256, _CARD_LIMIT).decode("utf-8", "replace")
                )
            except yaml.YAMLError as error:
                results.append({"filename": name, "error": f"invalid YAML: {error}"})
                continue
            if isinstance(data, list):
                results += [_eval_result(name, item) for item in data]
            else:
                results.append({"filename": name, "error": "expected a list"})
    return results


def _eval_result(name: str, item: object) -> dict[str, object]:
    dataset = item.get("dataset") if isinstance(item, dict) else None
    if not isinstance(item, dict) or "value" not in item or not isinstance(dataset, dict):
        return {"filename": name, "error": "dataset and value are required"}
    if not {"id", "task_id"} <= dataset.keys():
        return {"filename": name, "error": "dataset.id and dataset.task_id are required"}
    return {"filename": name, "data": item}
