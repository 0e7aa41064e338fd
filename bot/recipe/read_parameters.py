"""Reads ``parameters``: checks names, levels and values against the method's signature.

A value is a scalar, a gradient (a list of numbers), or a list of ``{value, filter}`` rows whose
values are scalars or gradients.
"""

from __future__ import annotations

import math
from typing import Literal

from bot.recipe.method_signature import Parameter, Signature
from bot.recipe.problems import Problems, close_matches, nearest
from bot.recipe.recipe import Parameters, Scalar, Schedule, ScheduleRow
from bot.recipe.strict_yaml import ListNode, MapNode, Node, RefusedNode, ScalarNode, shorten
from bot.recipe.yaml_scalars import plain_value

LONGEST_GRADIENT = 256
LONGEST_FILTER = 200
Level = Literal["recipe", "slice", "model"]
IGNORED = Parameter(name="int8_mask", kind="bool", scope="global", required=False)
"""Accepted because published recipes carry it, without effect on any weight: mergekit's
``int8_mask`` only changes the storage type of a temporary mask."""

_SCHEDULE_HINT = (
    "write a value, a gradient such as [0.0, 0.5, 1.0], or rows of `value` and `filter`"
)

_SWEEP = "write one value, or use a command that takes sweeps"


def read_parameters(
    node: Node, signature: Signature | None, level: Level, problems: Problems
) -> Parameters:
    """The schedules of a ``parameters`` block; for an unknown method only their form is checked."""
    if isinstance(node, ScalarNode) and node.value is None:
        return {}
    if not isinstance(node, MapNode):
        if not isinstance(node, RefusedNode):
            problems.add(
                node, "`parameters` must be a mapping", "write `name: value` lines under it"
            )
        return {}
    schedules = {}
    for name, (key, value) in node.entries.items():
        param = signature.parameter(name) if signature else None
        if param is None and name == IGNORED.name:
            _read_schedule(value, IGNORED, problems)
            continue
        if signature and param is None:
            problems.add(key, _unknown(name, signature), _unknown_hint(name, signature))
            continue
        if param and param.scope == "global" and level == "model":
            problems.add(
                key,
                f"`{name}` is set once for a merge, not per model",
                "move it to the `parameters` of the recipe or of the slice",
            )
            continue
        schedule = _read_schedule(value, param, problems)
        if schedule:
            schedules[name] = schedule
    return schedules


def written_names(node: Node | None, signature: Signature | None) -> frozenset[str]:
    """The names of parameters that a block sets, including the names that misspelt ones resemble.

    A parameter with a wrong value is then reported once, and not as missing too.
    """
    known = [param.name for param in signature.parameters] if signature else []
    if isinstance(node, RefusedNode):
        return frozenset(known)
    if not isinstance(node, MapNode) or signature is None:
        return frozenset()
    meant = {match for name in node.entries for match in close_matches(name, known)}
    return frozenset(node.entries) | meant


def range_text(param: Parameter) -> str:
    """A parameter's bounds as text: ``[0, 1]``, ``(0, inf)``."""
    left = "(" if param.minimum is None or param.minimum_excluded else "["
    right = ")" if param.maximum is None or param.maximum_excluded else "]"
    low = "-inf" if param.minimum is None else f"{param.minimum:g}"
    high = "inf" if param.maximum is None else f"{param.maximum:g}"
    return f"{left}{low}, {high}{right}"


def _unknown(name: str, signature: Signature) -> str:
    return f"`{shorten(name)}` is not a parameter of {signature.name}"


def _unknown_hint(name: str, signature: Signature) -> str:
    names = [param.name for param in signature.parameters]
    if not names:
        return f"{signature.name} has no parameters; remove the line"
    return nearest(name, names, noun="parameters")


def _read_schedule(node: Node, param: Parameter | None, problems: Problems) -> Schedule | None:
    if isinstance(node, MapNode):
        entry = _read_row(node, param, problems)
        return None if entry is None else Schedule(rows=(entry,))
    if isinstance(node, ListNode) and any(isinstance(item, MapNode) for item in node.items):
        rows = [_read_row(item, param, problems) for item in node.items]
        entries = tuple(row for row in rows if row)
        return Schedule(rows=entries) if len(entries) == len(rows) else None
    value = _read_value(node, param, problems)
    return None if value is None else Schedule(rows=(ScheduleRow(value=value),))


def _read_row(node: Node, param: Parameter | None, problems: Problems) -> ScheduleRow | None:
    if isinstance(node, RefusedNode):
        return None
    if not isinstance(node, MapNode):
        problems.add(node, "expected a row of `value` and `filter` like the others", _SCHEDULE_HINT)
        return None
    for key, (place, _) in node.entries.items():
        if key == "sweep":
            problems.add(place, "a sweep describes several recipes; here one is needed", _SWEEP)
            return None
        if key not in ("value", "filter"):
            hint = nearest(key, ("value", "filter", "sweep"), noun="keys")
            problems.add(place, f"unknown key `{shorten(key)}` in a parameter's row", hint)
            if close_matches(key, ("value", "filter", "sweep")) == ["sweep"]:
                return None  # a misspelt `sweep` needs no `value`
    if "value" not in node.entries:
        problems.add(node, "this row has no `value`", _SCHEDULE_HINT)
        return None
    value = _read_value(node.entries["value"][1], param, problems)
    pattern = _read_filter(node, problems)
    return None if value is None else ScheduleRow(value=value, filter=pattern)


def _read_filter(row: MapNode, problems: Problems) -> str | None:
    if "filter" not in row.entries:
        return None
    node = row.entries["filter"][1]
    if isinstance(node, ScalarNode) and node.value is None:
        return None
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        if len(node.text) > LONGEST_FILTER:
            message = f"`filter` has {len(node.text):,} characters; the limit is {LONGEST_FILTER}"
            problems.add(node, message, "write a shorter part of the tensors' names")
        return None if node.text == "*" else node.text
    if not isinstance(node, RefusedNode):
        problems.add(node, "`filter` must be text", "write a part of the tensors' names, or `*`")
    return None


def _read_value(
    node: Node, param: Parameter | None, problems: Problems
) -> Scalar | tuple[float, ...] | None:
    if isinstance(node, RefusedNode):
        return None
    if isinstance(node, ListNode):
        return _read_gradient(node, param, problems)
    if not isinstance(node, ScalarNode) or node.value is None:
        problems.add(node, "expected a value", _SCHEDULE_HINT)
        return None
    return _read_scalar(node, param, problems)


def _read_gradient(
    node: ListNode, param: Parameter | None, problems: Problems
) -> tuple[float, ...] | None:
    if not node.items:
        problems.add(node, "an empty gradient", _SCHEDULE_HINT)
        return None
    if param and param.kind != "float":
        problems.add(node, f"`{param.name}` takes no gradient", _kind_hint(param))
        return None
    if len(node.items) > LONGEST_GRADIENT:
        message = f"a gradient of {len(node.items):,} numbers; the limit is {LONGEST_GRADIENT}"
        problems.add(node, message, "list fewer numbers: values between them are interpolated")
        return None
    numbers = []
    for item in node.items:
        value = None
        if isinstance(item, ScalarNode) and item.value is not None:
            value = _read_scalar(item, param or _ANY_NUMBER, problems)
        elif not isinstance(item, RefusedNode):
            problems.add(item, "a gradient holds numbers only", _SCHEDULE_HINT)
        if isinstance(value, float):
            numbers.append(value)
    return tuple(numbers) if len(numbers) == len(node.items) else None


_ANY_NUMBER = Parameter(name="this", kind="float", scope="global", required=False)


def _read_scalar(node: ScalarNode, param: Parameter | None, problems: Problems) -> Scalar | None:
    if param is None:
        return node.value
    value = _of_kind(node.value, param)
    if value is None:
        problems.add(node, f"`{param.name}` must be {_noun(param)}", _mistype_hint(node, param))
        return None
    if isinstance(value, float) and not math.isfinite(value):
        problems.add(node, f"`{param.name}` must be a finite number", "write it in digits")
        return None
    if isinstance(value, (int, float)) and not _in_range(value, param):
        problems.add(
            node,
            f"`{param.name}` must lie in {range_text(param)}; here it is {shorten(node.text, 30)}",
            param.description or None,
        )
        return None
    return value


def _of_kind(value: object, param: Parameter) -> Scalar | None:
    """The value converted to the parameter's type, or None if it has another type."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match param.kind:
        case "float" if number and isinstance(value, (int, float)):
            return _as_float(value)
        case "int" if number and isinstance(value, int):
            return value
        case "bool" if isinstance(value, bool) or (number and value in (0, 1)):
            return bool(value)  # mergekit takes 0 and 1 for false and true
        case "choice":
            word = str(bool(value)).lower() if value in (0, 1) else value  # mergekit writes 1.0
            return word if isinstance(word, str) and word in param.choices else None
    return None


def _as_float(value: float) -> float:
    try:
        return float(value) + 0.0  # -0.0 becomes 0.0: one spelling of zero
    except OverflowError:
        return math.inf


def _in_range(value: float, param: Parameter) -> bool:
    if isinstance(value, bool):
        return True
    low = param.minimum is None or (
        value > param.minimum if param.minimum_excluded else value >= param.minimum
    )
    high = param.maximum is None or (
        value < param.maximum if param.maximum_excluded else value <= param.maximum
    )
    return low and high


def _noun(param: Parameter) -> str:
    nouns = {"float": "a number", "int": "a whole number", "bool": "true or false"}
    return nouns.get(param.kind, f"one of {', '.join(param.choices)}")


def _kind_hint(param: Parameter) -> str:
    return f"write one value: {_noun(param)}"


def _mistype_hint(node: ScalarNode, param: Parameter) -> str | None:
    if param.kind == "choice":
        return nearest(node.text, param.choices, noun="choices")
    if not isinstance(node.value, str):
        return f"write {_noun(param)}"
    word = node.text.lower()
    if param.kind == "bool" and word in ("yes", "on", "no", "off"):
        return f"write {'true' if word in ('yes', 'on') else 'false'}: in YAML 1.2 `{word}` is text"
    if isinstance(plain_value(node.text), str):
        return f"`{shorten(node.text, 30)}` is text"
    return f"write it without quotes: {shorten(node.text, 30)}"
