"""Evaluates a parameter's schedule: its value for one tensor at one depth.

The rules are mergekit's: the first row whose filter is part of the tensor's name decides; a
gradient is piecewise linear over depth; where no row matches, the next level (source, then slice,
then recipe) decides.
"""

from __future__ import annotations

from bot.recipe.recipe import Parameters, Scalar, Schedule

OUTSIDE_LAYERS = 0.0
"""The depth of tensors that belong to no layer."""


def depth(layer: int, layers: int) -> float:
    """The depth of output layer ``layer`` in a slice of ``layers`` layers, 0 to 1.

    The layer of a one-layer slice is at depth 1; tensors outside the layers (embeddings, final
    norm, head) are at ``OUTSIDE_LAYERS``. Both as in mergekit.
    """
    return layer / (layers - 1) if layers > 1 else 1.0


def value_at(schedule: Schedule, tensor_name: str, at: float) -> Scalar | None:
    """The value of the first row that matches the tensor's name, or None if none does.

    Args:
        schedule: the parameter's rows.
        tensor_name: the full name of the tensor in its model.
        at: depth in the output slice, 0 to 1.
    """
    for row in schedule.rows:
        if row.filter is None or row.filter in tensor_name:
            value = row.value
            return interpolate(value, at) if isinstance(value, tuple) else value
    return None


def interpolate(gradient: tuple[float, ...], at: float) -> float:
    """A gradient's value at a depth between 0 and 1: anchors evenly spaced, straight between."""
    place = at * (len(gradient) - 1)
    left = int(place)
    right = min(len(gradient) - 1, left + 1)
    share = place - left
    return (1 - share) * gradient[left] + share * gradient[right]


def resolve(name: str, tensor_name: str, at: float, *levels: Parameters) -> Scalar | None:
    """A parameter's value, the nearest level first (source, slice, recipe); None if none sets it.

    Args:
        name: the parameter.
        tensor_name: the full name of the tensor in its model.
        at: depth in the output slice, 0 to 1.
        levels: the ``parameters`` that apply, from the most to the least specific.
    """
    for parameters in levels:
        if name in parameters:
            value = value_at(parameters[name], tensor_name, at)
            if value is not None:
                return value
    return None
