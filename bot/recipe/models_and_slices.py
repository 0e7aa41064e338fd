"""Reads ``models`` and ``slices``: the models, their layer ranges and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.recipe.field_readers import check_keys, read_integer, read_list, read_mapping, value_of
from bot.recipe.method_signature import Signature
from bot.recipe.model_reference import located, read_reference
from bot.recipe.problems import Problems
from bot.recipe.read_parameters import read_parameters, written_names
from bot.recipe.recipe import ModelInput, ModelRef, Parameters, Slice
from bot.recipe.strict_yaml import ListNode, MapNode, Node, RefusedNode

MOST_LAYERS = 10_000


@dataclass(frozen=True, kw_only=True)
class MethodChoice:
    """The method and base that the recipe's top level chooses; ``signature`` is None if it is
    unknown.

    ``meant`` is then the nearest method: parameters are checked against it, nothing else is.
    """

    signature: Signature | None
    meant: Signature | None
    place: Node
    base: ModelRef | None
    base_written: bool
    parameters: Parameters
    names: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class _ReadInput:
    """An input with the node it was read from; ``value`` is None if it was refused."""

    node: Node
    value: ModelInput | None
    names: frozenset[str] = frozenset()


def read_models(node: Node, method: MethodChoice, problems: Problems) -> tuple[ModelInput, ...]:
    """The items of ``models``, checked against the method; each model may be listed once."""
    items = read_list(node, "`models`", problems)
    inputs = [_read_input(item, method, problems, layered=False) for item in items]
    _refuse_repeats(inputs, "`models`", problems)
    _refuse_respelt_base(inputs, method.base, problems)
    if isinstance(node, ListNode):
        _check_against_method(node, inputs, method, method.base, frozenset(), problems)
    return _complete(inputs)


def read_slices(node: Node, method: MethodChoice, problems: Problems) -> tuple[Slice, ...]:
    """The items of ``slices``, each checked against the method."""
    items = read_list(node, "`slices`", problems)
    if isinstance(node, ListNode) and not items:
        problems.add(node, "`slices` is empty", "write one `- sources:` item per run of layers")
    slices = [_read_slice(item, method, problems) for item in items]
    return tuple(part for part in slices if part)


def _read_slice(node: Node, method: MethodChoice, problems: Problems) -> Slice | None:
    item = read_mapping(node, "a slice", problems)
    if item is None:
        return None
    hints = {"model": "write it in the slice's `sources`, as `- model: org/name`"}
    check_keys(item, ("sources", "base_model", "parameters"), "a slice", problems, **hints)
    base_node, own = value_of(item, "base_model"), value_of(item, "parameters")
    own_base = read_reference(base_node, problems) if base_node else None
    parameters = read_parameters(own, method.meant, "slice", problems) if own else {}
    sources = value_of(item, "sources")
    if sources is None:
        problems.add(item, "a slice needs `sources`", "list the models and their layer ranges")
        return None
    nodes = read_list(sources, "`sources`", problems)
    inputs = [_read_input(entry, method, problems, layered=True) for entry in nodes]
    _refuse_repeats(inputs, "one slice", problems)
    _refuse_respelt_base(inputs, own_base or method.base, problems)
    _check_lengths(inputs, problems)
    if isinstance(sources, ListNode):
        base = own_base or method.base
        names = written_names(own, method.signature)
        _check_against_method(sources, inputs, method, base, names, problems)
        _check_base_among_sources(sources, inputs, method, base, problems)
    return Slice(sources=_complete(inputs), base_model=own_base, parameters=parameters)


def _read_input(
    node: Node, method: MethodChoice, problems: Problems, *, layered: bool
) -> _ReadInput:
    item = read_mapping(node, "a model of the recipe", problems)
    if item is None:
        return _ReadInput(node=node, value=None)
    known = ("model", "layer_range", "parameters") if layered else ("model", "parameters")
    check_keys(item, known, "a model of the recipe", problems, **_hints(method, layered))
    model_node, own = value_of(item, "model"), value_of(item, "parameters")
    if model_node is None:
        problems.add(item, "missing key `model`", "write `model: org/name`")
    model = read_reference(model_node, problems) if model_node else None
    layers = _read_layers(item, problems) if layered else None
    parameters = read_parameters(own, method.meant, "model", problems) if own else {}
    names = written_names(own, method.signature)
    if model is None:
        return _ReadInput(node=model_node or item, value=None, names=names)
    value = ModelInput(model=model, layer_range=layers, parameters=parameters)
    return _ReadInput(node=model_node or item, value=value, names=names)


def _hints(method: MethodChoice, layered: bool) -> dict[str, str]:
    params = method.meant.parameters if method.meant else ()
    hints = {param.name: f"write it under `parameters:` as `{param.name}: ...`" for param in params}
    if not layered:
        hints["layer_range"] = "layers are chosen in `slices`; `models` merges whole models"
    return hints


def _read_layers(item: MapNode, problems: Problems) -> tuple[int, int] | None:
    node = value_of(item, "layer_range")
    if node is None:
        problems.add(item, "missing key `layer_range`", "write `layer_range: [first, end]`")
        return None
    if not isinstance(node, ListNode) or len(node.items) != 2:
        if not isinstance(node, RefusedNode):
            problems.add(node, "`layer_range` must be [first, end]", "the end is not included")
        return None
    first, end = (
        read_integer(bound, "a layer number", problems, minimum=0, maximum=MOST_LAYERS)
        for bound in node.items
    )
    if first is None or end is None:
        return None
    if first > end:
        message = f"`layer_range` [{first}, {end}] ends before it begins"
        problems.add(node, message, "write the first layer, then the end, which is not included")
        return None
    return first, end


def _refuse_repeats(inputs: Sequence[_ReadInput], where: str, problems: Problems) -> None:
    seen: set[tuple[ModelRef, tuple[int, int] | None]] = set()
    for item in inputs:
        if item.value is None:
            continue
        key = (located(item.value.model, problems.file), item.value.layer_range)
        if key in seen:
            problems.add(
                item.node,
                f"`{item.value.model}` is listed twice in {where}",
                "keep one and add up the weights",
            )
        seen.add(key)


def _refuse_respelt_base(
    inputs: Sequence[_ReadInput], base: ModelRef | None, problems: Problems
) -> None:
    """Refuse the base under another path: it would be merged like the other models."""
    for item in inputs:
        model = item.value.model if item.value else None
        if base is None or model is None or model == base:
            continue
        if located(model, problems.file) == located(base, problems.file):
            problems.add(
                item.node,
                f"`{model}` is the base `{base}` by another name",
                f"write `{base}` here too",
            )


def _check_lengths(inputs: Sequence[_ReadInput], problems: Problems) -> None:
    ranged = [item for item in inputs if item.value and item.value.layer_range]
    lengths = [_length(item.value) for item in ranged]
    for item, length in zip(ranged, lengths, strict=True):
        if length != lengths[0]:
            problems.add(
                item.node,
                f"this source has {length} layers, the slice's first one has {lengths[0]}",
                "all sources of a slice need equally long ranges",
            )


def _length(item: ModelInput | None) -> int:
    first, end = (item.layer_range if item else None) or (0, 0)
    return end - first


def _check_against_method(
    node: ListNode,
    inputs: Sequence[_ReadInput],
    method: MethodChoice,
    base: ModelRef | None,
    slice_names: frozenset[str],
    problems: Problems,
) -> None:
    signature = method.signature
    if signature is None:
        return
    if signature.base == "required" and base is None and not method.base_written:
        problems.add(
            method.place,
            f"{signature.name} needs a `base_model`",
            "add `base_model: org/name`, the model the others were tuned from",
        )
    others = [p for p in inputs if signature.base == "none" or not _is(p, base)]
    base_unreadable = base is None and method.base_written
    if all(item.value for item in inputs) and not base_unreadable:
        _check_count(node, len(others), signature, problems)
    _check_required(others, method, slice_names, problems)


def _is(item: _ReadInput, base: ModelRef | None) -> bool:
    return item.value is not None and item.value.model == base


def _check_count(node: Node, count: int, signature: Signature, problems: Problems) -> None:
    low, high = signature.minimum_models, signature.maximum_models
    if count >= low and (high is None or count <= high):
        return
    wanted = f"at least {low}" if high is None else f"{low}" if low == high else f"{low} to {high}"
    beside = " besides the base" if signature.base != "none" else ""
    plural = "model" if wanted in ("1", "at least 1") else "models"
    problems.add(
        node,
        f"{signature.name} takes {wanted} {plural}{beside}; here: {count}",
        "add a model" if count < low else "remove a model, or choose another method",
    )


def _check_required(
    others: Sequence[_ReadInput],
    method: MethodChoice,
    slice_names: frozenset[str],
    problems: Problems,
) -> None:
    signature = method.signature
    for param in signature.parameters if signature else ():
        if not param.required or param.name in method.names | slice_names:
            continue
        if param.scope == "global":
            problems.add(
                method.place,
                f"missing parameter `{param.name}`",
                f"add `{param.name}` under the recipe's `parameters:`",
            )
            continue
        for item in others:
            if item.value and param.name not in item.names:
                problems.add(
                    item.node,
                    f"missing parameter `{param.name}` for `{item.value.model}`",
                    f"add `parameters: {{{param.name}: ...}}` beside the model, or once for all "
                    "at the top level",
                )


def _check_base_among_sources(
    node: Node,
    inputs: Sequence[_ReadInput],
    method: MethodChoice,
    base: ModelRef | None,
    problems: Problems,
) -> None:
    signature = method.signature
    if signature is None or signature.base != "required" or base is None:
        return
    if all(item.value for item in inputs) and not any(_is(item, base) for item in inputs):
        problems.add(
            node,
            f"the base `{base}` is not among the slice's sources",
            "add it with its own `layer_range`, so that its layers are known",
        )


def _complete(inputs: Sequence[_ReadInput]) -> tuple[ModelInput, ...]:
    return tuple(item.value for item in inputs if item.value)
