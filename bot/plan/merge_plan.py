"""The data of a plan: a job for every output tensor, side files, and the estimated cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.tokens.token_alignment import Alignment

Number = float | int | bool | str
Value = Number | tuple[Number, ...]
"""A resolved parameter: one value, or one per model in the order of ``TensorJob.models``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One input tensor of a job; ``source`` is a key of the plan's ``sources``."""

    source: str
    tensor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorJob:
    """One output tensor.

    ``method`` None means a byte copy of ``models[0]``. All inputs have the output's shape. ``base``
    is not repeated in ``models``. Random masks are keyed by seed, output name and model position.
    """

    output: TensorSpec
    method: str | None
    models: tuple[Slot, ...]
    base: Slot | None
    parameters: Mapping[str, Value]
    seed: int

    @property
    def inputs(self) -> tuple[Slot, ...]:
        """Base first where there is one, then the models."""
        return (self.base, *self.models) if self.base else self.models


@dataclass(frozen=True, kw_only=True, slots=True)
class ParentView:
    """A parent as jobs read it: as stored, or with rows reordered to the output's vocabulary.

    ``alignment`` names one of the plan's ``alignments``; None means as stored.
    """

    parent: str
    alignment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The estimated cost of a merge: sizes in bytes, time in seconds (rough)."""

    input_bytes: int
    output_bytes: int
    download_bytes: int
    peak_memory_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A merge with all inputs, parameters and output tensors fixed.

    ``sources`` maps the keys that slots use to views of parents. ``parents`` maps parent keys to
    source ids (commit SHA or content digest). ``files`` are the side files of the output, name ->
    bytes. ``config_source`` is the key of the parent whose config the output gets. ``dtype`` is the
    dtype of merged tensors. ``alignments`` are the row tables that views name.
    """

    jobs: tuple[TensorJob, ...]
    parents: Mapping[str, str]
    sources: Mapping[str, ParentView]
    files: Mapping[str, bytes]
    budget: Budget
    dtype: Dtype
    config_source: str
    alignments: Mapping[str, Alignment] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    digest: str = ""

    @property
    def layout(self) -> tuple[TensorSpec, ...]:
        """The output tensors in the order they stand in the files."""
        return tuple(job.output for job in self.jobs)
