"""What a merge method asks of a recipe: its parameters, its base, how many models.

The registry in ``bot.methods`` reads these from the methods' own Python signatures. Recipe checking
needs them where no arithmetic is installed (a Space, an editor), so ``signatures.json`` beside this
file holds the same facts; ``make docs`` writes it and ``make check`` fails when it is stale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Literal

Scope = Literal["global", "per_model"]
Kind = Literal["float", "int", "bool", "choice"]
BaseRule = Literal["required", "optional", "none"]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One knob of a method as recipes write it (``lambda``, not ``lambda_``)."""

    name: str
    kind: Kind
    scope: Scope
    required: bool
    default: float | int | bool | str | None = None
    minimum: float | None = None
    maximum: float | None = None
    minimum_excluded: bool = False
    maximum_excluded: bool = False
    choices: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A method as recipe checking sees it.

    ``models`` counts the models that are not the base; ``maximum_models`` None means any number.
    ``base`` "none" means a ``base_model`` key is only the donor of config and tokenizer.
    """

    name: str
    title: str
    base: BaseRule
    minimum_models: int
    maximum_models: int | None
    parameters: tuple[Parameter, ...]
    paper: str | None = None
    summary: str = ""
    stochastic: bool = False

    def parameter(self, name: str) -> Parameter | None:
        """The knob of that name, or None."""
        return next((knob for knob in self.parameters if knob.name == name), None)


def dump_signatures(signatures: Mapping[str, Signature]) -> str:
    """The text of ``signatures.json`` for these methods."""
    rows = {name: asdict(signatures[name]) for name in sorted(signatures)}
    return json.dumps(rows, indent=1, sort_keys=True) + "\n"


@cache
def load_signatures() -> Mapping[str, Signature]:
    """Every method's signature, by name, from the file beside this module."""
    text = resources.files("bot.recipe").joinpath("signatures.json").read_text("utf-8")
    return {name: _read(row) for name, row in json.loads(text).items()}


def _read(row: dict[str, object]) -> Signature:
    knobs = row.pop("parameters")
    assert isinstance(knobs, list)  # noqa: S101 - our own generated file
    parameters = tuple(Parameter(**{**knob, "choices": tuple(knob["choices"])}) for knob in knobs)
    return Signature(parameters=parameters, **row)  # type: ignore[arg-type]  # checked by its test
