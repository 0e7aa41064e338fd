"""Every merge method there is: importing this module registers them all."""

from __future__ import annotations

from collections.abc import Mapping

from bot.methods import (
    averages,
    copying,
    masks,
    near,
    random_drop,
    select,
    spectral,
    spherical,
    stock,
    task_vectors,
)
from bot.methods.describe import Page, page
from bot.methods.registry import Method, registered
from bot.recipe.signature import dump_signatures

FAMILIES = (
    averages,
    spherical,
    task_vectors,
    random_drop,
    stock,
    select,
    near,
    masks,
    spectral,
    copying,
)
"""The modules that hold methods, in the order the documentation lists them."""


def catalogue() -> Mapping[str, Method]:
    """Name -> method."""
    return registered()


def describe(name: str) -> Page:
    """A method's documentation, an example recipe and its deviations from mergekit.

    Raises:
        KeyError: there is no method of that name.
    """
    return page(catalogue()[name])


def signatures() -> str:
    """The text of ``bot/recipe/signatures.json``."""
    return dump_signatures({name: method.signature for name, method in catalogue().items()})
