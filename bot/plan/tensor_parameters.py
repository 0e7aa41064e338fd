"""A method's parameters for one tensor: filters, gradients and precedence applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.plan.findings import Findings
from bot.plan.merge_plan import Number, Value
from bot.recipe.method_signature import Parameter, Signature
from bot.recipe.parameter_schedule import resolve
from bot.recipe.recipe import Parameters


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the recipe sets, most specific first: each model's own, then ``outer`` for all."""

    models: tuple[tuple[str, Parameters], ...] = ()
    outer: tuple[Parameters, ...] = ()


def resolve_parameters(
    signature: Signature,
    names: Sequence[str],
    settings: Settings,
    t: float,
    findings: Findings,
) -> Mapping[str, Value]:
    """Every parameter's value: one, or one per model.

    Filters of a global parameter match the output tensor's name, those of a model's parameter the
    name its own tensor has, as in mergekit.

    Args:
        signature: the method's.
        names: the output tensor's name, then each model's tensor name.
        settings: what the recipe sets.
        t: place on gradients, 0 to 1.
        findings: where a missing required value is reported, and filters that match nothing.
    """
    values: dict[str, Value] = {}
    for knob in signature.parameters:
        if knob.scope == "global":
            values[knob.name] = _value(knob, settings.outer, names[0], t, None, findings)
        else:
            values[knob.name] = tuple(
                _value(knob, (own, *settings.outer), name, t, label, findings)
                for (label, own), name in zip(settings.models, names[1:], strict=True)
            )
    return values


def _value(
    knob: Parameter,
    scopes: Sequence[Parameters],
    name: str,
    t: float,
    label: str | None,
    findings: Findings,
) -> Number:
    _note_filters(knob.name, scopes, name, findings)
    value = resolve(knob.name, name, t, *scopes)
    if value is not None:
        return value
    if knob.required:
        whose = f" of {label}" if label else ""
        findings.tensor(
            f"{knob.name}{whose} has no value for {{tensors}}",
            name,
            hint=f"set {knob.name} under parameters:, with an entry that matches every tensor",
        )
    return 0.0 if knob.default is None else knob.default


def _note_filters(
    parameter: str, scopes: Sequence[Parameters], name: str, findings: Findings
) -> None:
    for scope in scopes:
        for entry in scope[parameter].entries if parameter in scope else ():
            if entry.filter is not None:
                findings.tried(parameter, entry.filter, matched=entry.filter in name)
