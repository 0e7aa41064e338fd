"""Method signatures: each merge method's parameters, base and number of models, without torch.

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
ParameterKind = Literal["float", "int", "bool", "choice"]
BaseRule = Literal["required", "optional", "none"]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a method, named as in recipes (``lambda``, not ``lambda_``)."""

    name: str
    kind: ParameterKind
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
    """What recipe checking needs to know of a method.

    ``models`` counts the models that are not the base; ``maximum_models`` None means any number.
    ``base`` "none" means that ``base_model`` only supplies config and tokenizer.
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
        """The parameter of that name, or None."""
        return next((param for param in self.parameters if param.name == name), None)


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
    params = row.pop("parameters")
    assert isinstance(params, list)  # noqa: S101 - our own generated file
    parameters = tuple(
        Parameter(**{**param, "choices": tuple(param["choices"])}) for param in params
    )
    return Signature(parameters=parameters, **row)  # type: ignore[arg-type]  # checked by its test
