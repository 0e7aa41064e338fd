"""Every merge method there is: importing this module registers them all."""

from __future__ import annotations

from collections.abc import Mapping

from bot.methods import (
    arcee_fusion,
    breadcrumbs,
    consensus_ta,
    dare,
    della,
    iso_c,
    karcher,
    knots,
    linear,
    model_stock,
    multislerp,
    nearswap,
    nuslerp,
    passthrough,
    ram,
    sce,
    slerp,
    tall_masks,
    task_arithmetic,
    ties,
    tsv_m,
    wudi,
)
from bot.methods.core.describe_method import Page, page
from bot.methods.core.registry import Method, registered
from bot.recipe.method_signature import dump_signatures

MODULES = (
    linear,
    slerp,
    nuslerp,
    multislerp,
    karcher,
    task_arithmetic,
    ties,
    breadcrumbs,
    dare,
    della,
    model_stock,
    sce,
    ram,
    nearswap,
    arcee_fusion,
    consensus_ta,
    tall_masks,
    tsv_m,
    iso_c,
    wudi,
    knots,
    passthrough,
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
