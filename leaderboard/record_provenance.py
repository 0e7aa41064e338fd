"""The parts of a record that say what a model is and where it came from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from leaderboard.record_base import (
    Count,
    FileKey,
    Instant,
    Key,
    Many,
    Message,
    RecordModel,
    Short,
    Text,
)

Relation = Literal["base", "finetune", "merge", "adapter", "quantized", "unknown"]


class License(RecordModel):
    """The license of a model and how it was found.

    ``links`` are the addresses of all licenses that apply, ``derived_from`` their ids.
    """

    id: Short
    name: Short | None = None
    link: Short | None = None
    links: Many[Short] = ()
    conflicts: Many[Text] = ()
    reasons: Many[Text] = ()
    derived_from: Many[Text] = ()


class RecipeFacts(RecordModel):
    """What the contributor wrote. ``hash`` is of the text, ``canonical_hash`` of its meaning."""

    text: Annotated[str, Field(max_length=200_000)]
    hash: Key
    canonical_hash: Key
    method: Short
    method_title: Short
    paper: Text | None = None
    parameters: Text = ""


class Parent(RecordModel):
    """A model the merge was made from.

    ``key`` is the model's digest: two records naming the same weights name the same parent, and
    a parent that is itself a merge of this board has that merge's ``model_digest``.
    """

    key: Key
    name: Short
    ref: Short
    revision: Short | None = None
    role: Literal["base", "model"] = "model"
    relation: Relation = "unknown"
    weight: Text = ""
    license: Short | None = None
    digest: Key | None = None
    parameters: Count | None = None
    chat_template: bool = False
    languages: Many[Short] = ()
    url: Short | None = None
    gated: bool = False


class LineageNode(RecordModel):
    """A model of the family tree; ``known`` is false where nothing but its name was found."""

    id: Short
    name: Short
    relation: Relation = "unknown"
    license: Short | None = None
    url: Short | None = None
    known: bool = True


class LineageEdge(RecordModel):
    """``source`` went into ``target``; ``label`` is its weight or how it was used."""

    source: Short
    target: Short
    label: Text = ""


class Lineage(RecordModel):
    """The family tree: ancestors several generations up, and what was made from the model."""

    nodes: Many[LineageNode] = ()
    edges: Many[LineageEdge] = ()


class ModelFacts(RecordModel):
    """What the merged model is. ``chat_template`` names where it came from, None if there is none.

    ``bytes`` are the weights on disk, ``memory_bytes`` what it takes to run them.
    """

    architecture: Short
    parameters: Count
    dtype: Short
    bytes: Count
    layers: Count
    hidden_size: Count
    vocab_size: Count
    context: Count | None = None
    chat_template: Short | None = None
    memory_bytes: Count | None = None


class FileFacts(RecordModel):
    """One published file."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Count


class EngineFacts(RecordModel):
    """What the merge cost: seconds of wall time, bytes of peak memory, threads used."""

    seconds: Annotated[float, Field(ge=0)]
    peak_memory: Count | None = None
    threads: Annotated[int, Field(ge=1)] = 1
    device: Short = "cpu"


class Check(RecordModel):
    """One check between a merge and its evaluation."""

    name: Short
    hard: bool
    passed: bool
    detail: Message = ""


class Sweep(RecordModel):
    """The search a recipe came out of; its trials were scored on ``selection_split`` only."""

    name: Short
    trials: Annotated[int, Field(ge=1)]
    selection_split: Short


class Attempts(RecordModel):
    """How many merges were tried over these parents, this one included, each counted once.

    The record says how many when it was written; a folder of records says how many by now.
    ``count`` is None where it is unknown, because the log of attempts is incomplete. In a published
    record ``log`` identifies that log and ``in_log`` is how many of them it holds, so that several
    logs can be added up without counting an attempt twice.
    """

    family: Short
    count: Annotated[int, Field(ge=1)] | None = 1
    sweep: Sweep | None = None
    log: Key | None = None
    in_log: Count | None = None

    @property
    def own(self) -> int | None:
        """How many attempts the record's own log holds; ``count`` where it does not say."""
        return self.count if self.in_log is None else self.in_log


class Flag(RecordModel):
    """A warning that follows a model down the family tree; ``path`` runs from source to model."""

    kind: Literal["contamination", "license", "safety", "cap", "degenerate", "other"]
    source: Short
    path: Many[Short] = ()
    reason: Text
    url: Short | None = None


class Publication(RecordModel):
    """Where the weights were published, in which commit, under which of the operator's policies."""

    repo: Short
    commit: Short
    url: Short
    private: bool = False
    policy: Literal["all", "not-worse", "better"] = "all"


class Failure(RecordModel):
    """The stage a run ended in and why."""

    stage: Short
    message: Message


class Retraction(RecordModel):
    """Taken back: the record stays, the model leaves the ranking."""

    run_key: FileKey
    reason: Message
    by: Short
    created: Instant


class Links(RecordModel):
    """Where to read on."""

    recipe: Short | None = None
    pull_request: Short | None = None
