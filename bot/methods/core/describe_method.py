"""Descriptions of a method for people: its documentation, an example recipe, its deviations."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import yaml

from bot.methods.core.deviations import deviations_of
from bot.methods.core.registry import Method
from bot.recipe.method_signature import Parameter, Signature

MODELS = ("skills-sort", "skills-reverse", "skills-increment")
BASE = "skills-base"
TELLING = {"density": 0.5, "t": 0.5, "nearswap.t": 0.001}
"""Values an example shows, where a method's default would hide what the parameter does; nearswap's
t is no share but the size of a change, and most fine-tunes change a weight by less than half."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A method's page; ``example`` runs as it stands when saved in ``recipes/skills/``."""

    documentation: str
    parameters: tuple[str, ...]
    example: str
    deviations: tuple[str, ...]


def page(method: Method) -> Page:
    """Everything there is to say about a method."""
    signature = method.signature
    notes = [inspect.getdoc(method.function) or ""]
    if signature.paper:
        notes.append(f"Source: {signature.paper}")
    return Page(
        documentation="\n\n".join(notes),
        parameters=tuple(map(parameter_line, signature.parameters)),
        example=example(signature),
        deviations=deviations_of(signature.name),
    )


def parameter_line(param: Parameter) -> str:
    """One parameter as a line: name, kind, range, default, what it does."""
    where = "each model" if param.scope == "per_model" else "recipe"
    kind = " | ".join(param.choices) if param.choices else param.kind + _bounds(param)
    default = "required" if param.required else f"default {_written(param.default)}"
    return f"{param.name} ({where}; {kind}; {default}): {param.description}"


def _bounds(param: Parameter) -> str:
    if param.kind not in ("float", "int"):
        return ""
    low = "-inf" if param.minimum is None else f"{param.minimum:g}"
    high = "inf" if param.maximum is None else f"{param.maximum:g}"
    left = "(" if param.minimum_excluded or param.minimum is None else "["
    right = ")" if param.maximum_excluded or param.maximum is None else "]"
    return f" in {left}{low}, {high}{right}"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def example(signature: Signature) -> str:
    """A small recipe over the skills family that uses the method's main parameters."""
    count = min(signature.maximum_models or 2, max(signature.minimum_models, 2))
    shown = [param for param in signature.parameters if param.required or param.name in TELLING]
    each = {
        k.name: _value(signature, k, count) for k in shown if k.scope == "per_model" and _used(k)
    }
    whole = {k.name: _value(signature, k, count) for k in shown if k.scope == "global"}
    recipe: dict[str, Any] = {"merge_method": signature.name}
    if signature.base != "none":
        recipe["base_model"] = f"./models/{BASE}"
    recipe["models"] = [_entry(name, each) for name in MODELS[:count]]
    if whole:
        recipe["parameters"] = whole
    return yaml.safe_dump(recipe | {"dtype": "float32"}, sort_keys=False)


def _entry(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"model": f"./models/{name}"}
    return entry | ({"parameters": dict(parameters)} if parameters else {})


def _used(param: Parameter) -> bool:
    return "changes nothing" not in param.description


def _value(signature: Signature, param: Parameter, models: int) -> float:
    if param.kind == "int":
        return 1
    usual = TELLING.get(param.name, 1 / models)
    return TELLING.get(f"{signature.name}.{param.name}", usual)
