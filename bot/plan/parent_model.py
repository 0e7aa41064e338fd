"""A parent model in planning: its key, source, config and tensor list, read from the header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bot.architecture.layer_names import TensorLayout, group_by_layer
from bot.architecture.model_config import JsonObject, layer_count, read_config, read_json_object
from bot.architecture.untrusted_config import CONFIG_FILES, refusals
from bot.architecture.vocabulary_tensors import embedding_rows
from bot.checkpoint.lora_config import CONFIG_FILE
from bot.checkpoint.source import Source
from bot.checkpoint.tensor_spec import TensorSpec
from bot.errors import MergebotError, Problem
from bot.recipe.recipe import ModelRef

_CONFIG_CAP = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A model of the recipe; ``key`` is its short, unique name inside the plan."""

    key: str
    ref: ModelRef
    source: Source


@dataclass(frozen=True, kw_only=True)
class ParentModel:
    """A parent with its config, its tensors by name, and their layout in layers."""

    parent: Parent
    config: JsonObject
    tensors: Mapping[str, TensorSpec]

    @property
    def label(self) -> str:
        """The model's name in messages: as written in the recipe."""
        return str(self.parent.ref)

    @cached_property
    def tensor_layout(self) -> TensorLayout:
        """Its tensors grouped by layer."""
        return group_by_layer(self.tensors.values(), layer_count(self.config))

    @property
    def vocabulary_rows(self) -> int | None:
        """Rows of its input embedding, if it has one."""
        return embedding_rows(self.tensors)


def _adapter_beside(parent: Parent) -> list[Problem]:
    """A local folder with weights and an adapter: loaders apply the adapter, a merge would not."""
    ref = parent.ref
    if not ref.is_local or parent.source.file(CONFIG_FILE) is None:
        return []
    return [
        Problem(
            message=f"{ref.path} holds a LoRA adapter ({CONFIG_FILE}) beside its weights",
            hint="move the adapter to a folder of its own and write "
            f"`{ref.path}+./adapter`, or remove {CONFIG_FILE}",
        )
    ]


def examine(parent: Parent) -> tuple[ParentModel | None, list[Problem]]:
    """Read a parent's header and config.

    Returns:
        The model, or None where it could not be read; and every problem found.
    """
    label = str(parent.ref)
    try:
        config = read_config(parent.source, label)
        tensors = parent.source.tensors()
        problems = list(refusals(config, label))
        for file in CONFIG_FILES[1:]:
            content = read_json_object(parent.source, file, label, cap=_CONFIG_CAP)
            problems += refusals(content or {}, label, file)
    except MergebotError as error:
        return None, list(error.problems())
    problems += _adapter_beside(parent)
    if not tensors:
        problems.append(
            Problem(message=f"{label} holds no tensors", hint="check that its files are complete")
        )
    return ParentModel(parent=parent, config=config, tensors=tensors), problems
