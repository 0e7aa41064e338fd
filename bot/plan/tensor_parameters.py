"""Parameters of one tensor: applies filters, gradients and precedence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.plan.findings import Findings
from bot.plan.merge_plan import Number, Value
from bot.recipe.method_signature import Parameter, Signature
from bot.recipe.parameter_schedule import resolve
from bot.recipe.recipe import Parameters


@dataclass(frozen=True, kw_only=True)
class ParameterLevels:
    """The ``parameters`` blocks: each model's own, then ``outer`` (slice, recipe) for all."""

    models: tuple[tuple[str, Parameters], ...] = ()
    outer: tuple[Parameters, ...] = ()


def resolve_parameters(
    signature: Signature,
    names: Sequence[str],
    levels: ParameterLevels,
    t: float,
    findings: Findings,
) -> Mapping[str, Value]:
    """Every parameter's value: one, or one per model.

    Filters of a global parameter match the output tensor's name, those of a model's parameter the
    name its own tensor has, as in mergekit.

    Args:
        signature: the method's.
        names: the output tensor's name, then each model's tensor name.
        levels: the recipe's parameters.
        t: position on gradients, 0 to 1.
        findings: receives missing required values and filters that match nothing.
    """
    values: dict[str, Value] = {}
    for parameter in signature.parameters:
        if parameter.scope == "global":
            values[parameter.name] = _value(parameter, levels.outer, names[0], t, None, findings)
        else:
            values[parameter.name] = tuple(
                _value(parameter, (own, *levels.outer), name, t, label, findings)
                for (label, own), name in zip(levels.models, names[1:], strict=True)
            )
    return values


def _value(
    parameter: Parameter,
    scopes: Sequence[Parameters],
    name: str,
    t: float,
    label: str | None,
    findings: Findings,
) -> Number:
    _note_filters(parameter.name, scopes, name, findings)
    value = resolve(parameter.name, name, t, *scopes)
    if value is not None:
        return value
    if parameter.required:
        whose = f" of {label}" if label else ""
        findings.tensor(
            f"{parameter.name}{whose} has no value for {{tensors}}",
            name,
            hint=f"set {parameter.name} under parameters:, with an entry that matches every tensor",
        )
    return 0.0 if parameter.default is None else parameter.default


def _note_filters(
    parameter: str, scopes: Sequence[Parameters], name: str, findings: Findings
) -> None:
    for scope in scopes:
        for row in scope[parameter].rows if parameter in scope else ():
            if row.filter is not None:
                findings.tried(parameter, row.filter, matched=row.filter in name)
