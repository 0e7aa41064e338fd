from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import RecordError
from bot.recipe.recipe import ModelRef
from bot.recipe.recipe_lock import (
    Lock,
    LockedCard,
    LockedFile,
    LockedHost,
    LockedParent,
    LockedResult,
    dump_lock,
    parse_lock,
    read_lock,
)

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
MAYBE = st.none() | TEXTS
HASHES = st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)
MODELS = st.builds(ModelRef, path=TEXTS, revision=MAYBE)
REFERENCES = MODELS | st.builds(ModelRef, path=TEXTS, revision=MAYBE, lora=MODELS)
CARDS = st.builds(
    LockedCard, license=MAYBE, base_model=st.lists(TEXTS, max_size=2).map(tuple), tags=st.just(())
)
FILES = st.dictionaries(TEXTS, st.builds(LockedFile, sha256=HASHES, size=st.integers(0, 2**62)))
PARENTS = st.builds(
    LockedParent,
    ref=REFERENCES,
    kind=st.sampled_from(["hub", "local"]),
    pin=HASHES,
    digest=MAYBE,
    files=FILES,
    card=CARDS,
)
RESULTS = st.builds(
    LockedResult, model_digest=HASHES, tensors=st.dictionaries(TEXTS, HASHES, max_size=3)
)
LOCKS = st.builds(
    Lock,
    recipe=TEXTS,
    recipe_file=TEXTS,
    recipe_hash=HASHES,
    merge_key=HASHES,
    engine_version=TEXTS,
    seed=st.integers(0, 2**63 - 1),
    parents=st.lists(PARENTS, max_size=3).map(tuple),
    host=st.builds(
        LockedHost, versions=st.dictionaries(TEXTS, TEXTS, max_size=3), device=TEXTS, cpu=TEXTS
    ),
    exact=st.sampled_from(["any host", "host class"]),
    result=st.none() | RESULTS,
)


def lock() -> Lock:
    base = ModelRef(path="o/base", revision="main")
    return Lock(
        recipe="merge_method: linear\n",
        recipe_file="r.yaml",
        recipe_hash="a" * 64,
        merge_key="b" * 64,
        engine_version="1",
        seed=0,
        parents=(
            LockedParent(
                ref=base,
                kind="hub",
                pin="c" * 40,
                files={"config.json": LockedFile(sha256="d" * 64, size=3)},
                card=LockedCard(license="apache-2.0", tags=("x",)),
            ),
        ),
        host=LockedHost(versions={"mergebot": "0.1.0"}, device="cpu", cpu="AVX2"),
        exact="any host",
    )


@settings(deadline=None)
@given(LOCKS)
def test_what_is_written_is_read_again(one: Lock) -> None:
    text = dump_lock(one)
    assert parse_lock(text) == one
    assert dump_lock(parse_lock(text.encode())) == text


def test_the_text_is_plain_json_with_a_version(tmp_path: Path) -> None:
    path = tmp_path / "recipe.lock.json"
    path.write_text(dump_lock(lock()), "utf-8")
    content = json.loads(path.read_text())
    assert (content["format"], content["version"]) == ("mergebot.lock", 2)
    assert read_lock(path) == lock()


def test_pins_by_reference() -> None:
    assert lock().pins() == {ModelRef(path="o/base", revision="main"): "c" * 40}


def test_a_result_is_added_without_touching_the_rest() -> None:
    result = LockedResult(model_digest="e" * 64, tensors={"w": "f" * 64})
    done = lock().with_result(result)
    assert done.result == result
    assert done.parents == lock().parents
    assert lock().result is None


def broken(change: Any) -> str:
    data = json.loads(dump_lock(lock()))
    change(data)
    return json.dumps(data)


BROKEN = {
    "unknown key": (lambda d: d.update(extra=1), "extra"),
    "unknown key of a parent": (lambda d: d["parents"][0].update(extra=1), "parents.0.extra"),
    "unknown key of a reference": (lambda d: d["parents"][0]["ref"].update(x=1), "parents.0.ref.x"),
    "missing": (lambda d: d.pop("merge_key"), "merge_key"),
    "text for number": (lambda d: d.update(seed="0"), "seed"),
    "number for text": (lambda d: d.update(recipe=1), "recipe"),
    "kind": (lambda d: d["parents"][0].update(kind="ftp"), "parents.0.kind"),
    "parents": (lambda d: d.update(parents={}), "parents"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_locks_name_the_key(name: str) -> None:
    change, key = BROKEN[name]
    with pytest.raises(RecordError, match=rf"x\.json is not a recipe lock: {key}"):
        parse_lock(broken(change), "x.json")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff", "\ud800"])
def test_no_json(text: str | bytes) -> None:
    with pytest.raises(RecordError, match="is not JSON"):
        parse_lock(text)


def test_a_lock_of_the_first_version_is_read() -> None:
    content = json.loads(dump_lock(lock()))
    del content["format"], content["version"]
    assert parse_lock(json.dumps(content | {"lock_version": 1})) == lock()


def test_a_lock_of_a_newer_mergebot_is_refused() -> None:
    content = json.loads(dump_lock(lock())) | {"version": 3}
    with pytest.raises(RecordError, match="made by a newer mergebot"):
        parse_lock(json.dumps(content))


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"lock_version": 2}', '{"lock_version": true}'])
def test_other_versions_are_refused(text: str) -> None:
    with pytest.raises(RecordError, match="lock"):
        parse_lock(text)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot read"):
        read_lock(tmp_path / "none.json")
    with pytest.raises(RecordError, match="cannot read"):
        read_lock(tmp_path)
