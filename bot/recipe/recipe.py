"""The ``Recipe`` data classes: frozen and checked, independent of YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = float | int | bool | str


@dataclass(frozen=True, kw_only=True, order=True)
class ModelRef:
    """A model as the recipe names it.

    ``path`` is a Hub id ``org/name``, or a local folder when it starts with ``.``, ``/`` or ``~``.
    A LoRA adapter on top of the model is a reference of its own.
    """

    path: str
    revision: str | None = None
    lora: ModelRef | None = None

    @property
    def is_local(self) -> bool:
        """Whether the path names a folder. A Hub id is never shadowed by a folder of that name."""
        return self.path.startswith((".", "/", "~"))

    @property
    def name(self) -> str:
        """The last part of the path, for display."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]

    def __str__(self) -> str:
        text = self.path + (f"@{self.revision}" if self.revision else "")
        return f"{text}+{self.lora}" if self.lora else text


@dataclass(frozen=True, kw_only=True)
class ScheduleRow:
    """One row of a schedule: a value for tensors whose name contains ``filter``.

    A tuple value is a gradient: piecewise linear over the depth of the output slice.
    """

    value: Scalar | tuple[float, ...]
    filter: str | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A parameter's value as a function of tensor name and depth; the first match wins."""

    rows: tuple[ScheduleRow, ...]


Parameters = Mapping[str, Schedule]


@dataclass(frozen=True, kw_only=True)
class ModelInput:
    """An entry of ``models``, or of a slice's ``sources``; ``layer_range`` is half-open."""

    model: ModelRef
    layer_range: tuple[int, int] | None = None
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """An entry of ``slices``: output layers made from equally long layer ranges of its sources."""

    sources: tuple[ModelInput, ...]
    base_model: ModelRef | None = None
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TokenRule:
    """Where one token's embedding comes from; ``source`` None with ``zero`` True means zeros."""

    token: str
    source: ModelRef | None = None
    source_token: str | None = None
    source_token_id: int | None = None
    zero: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class TokenizerChoice:
    """Whose vocabulary the merge has: ``union``, ``base`` or one model's."""

    source: ModelRef | str
    tokens: tuple[TokenRule, ...] = ()
    pad_to_multiple_of: int | None = None


@dataclass(frozen=True, kw_only=True)
class About:
    """A recipe's metadata; it changes no weight."""

    name: str | None = None
    description: str | None = None
    license: str | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe. Exactly one of ``models`` and ``slices`` is set.

    ``text`` is the YAML as the user wrote it (shown on cards), ``file`` its path.
    """

    merge_method: str
    models: tuple[ModelInput, ...] | None = None
    slices: tuple[Slice, ...] | None = None
    base_model: ModelRef | None = None
    parameters: Parameters = field(default_factory=dict)
    dtype: str | None = None
    out_dtype: str | None = None
    tokenizer: TokenizerChoice | None = None
    chat_template: str | None = None
    seed: int = 0
    about: About = field(default_factory=About)
    text: str = ""
    file: str = ""

    def references(self) -> tuple[ModelRef, ...]:
        """Every model named anywhere, base included, once each, in order of first mention."""
        found: dict[ModelRef, None] = {}
        for entry in self.models or ():
            found.setdefault(entry.model)
        for part in self.slices or ():
            for entry in part.sources:
                found.setdefault(entry.model)
            if part.base_model:
                found.setdefault(part.base_model)
        if self.base_model:
            found.setdefault(self.base_model)
        if self.tokenizer:
            if isinstance(self.tokenizer.source, ModelRef):
                found.setdefault(self.tokenizer.source)
            for rule in self.tokenizer.tokens:
                if rule.source:
                    found.setdefault(rule.source)
        return tuple(found)
