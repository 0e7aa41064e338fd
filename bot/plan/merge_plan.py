"""A plan: every output tensor, where it comes from, what is done to it, and what that costs."""

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
    """One input: a tensor of a source; ``source`` is a key into the sources given to execute."""

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
class View:
    """A source made from a parent: the parent as it is, or with its vocabulary aligned.

    ``alignment`` names one of the plan's ``alignments``; None means as it is.
    """

    parent: str
    alignment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a merge will cost; bytes, and seconds as a rough estimate."""

    input_bytes: int
    output_bytes: int
    download_bytes: int
    peak_memory_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A merge, decided to the last byte of its layout.

    ``sources`` maps the keys that slots use to views of parents; ``parents`` maps parent keys to
    source ids (commit SHA or content digest). ``files`` are the side files of the output. ``donor``
    is the parent whose config the output takes. ``dtype`` is the dtype of merged tensors.
    ``alignments`` are the row tables that views name.
    """

    jobs: tuple[TensorJob, ...]
    parents: Mapping[str, str]
    sources: Mapping[str, View]
    files: Mapping[str, bytes]
    budget: Budget
    dtype: Dtype
    donor: str
    alignments: Mapping[str, Alignment] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    digest: str = ""

    @property
    def layout(self) -> tuple[TensorSpec, ...]:
        """The output tensors in the order they stand in the files."""
        return tuple(job.output for job in self.jobs)
