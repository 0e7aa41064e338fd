"""Mistakes in parameters' values: recipe (wrong at the arrow), message, hint."""

from __future__ import annotations

from tests.recipe.support import STOCK, TIES

VALUES = {
    "unknown": (
        TIES + "parameters: {→lamda: 1}\n",
        "`lamda` is not a parameter of ties",
        "`lambda`?",
    ),
    "none known": (
        STOCK + "models: [{model: a/b}, {model: c/d}]\nparameters: {→t: 1}\n",
        "`t` is not a parameter",
        "has no parameters",
    ),
    "unknown at model": (
        TIES.replace("weight: 1}}]", "weight: 1, →densty: 1}}]"),
        "`densty`",
        "`density`?",
    ),
    "global at model": (
        TIES.replace("weight: 1}}]", "weight: 1, →lambda: 1}}]"),
        "set once for a merge",
        "of the recipe or of the slice",
    ),
    "out of range": (TIES + "parameters: {density: →1.5}\n", "`density` must lie in [0, 1]", "1.5"),
    "in a gradient": (
        TIES + "parameters: {density: [0, →-0.1, 1]}\n",
        "must lie in [0, 1]",
        "-0.1",
    ),
    "in a row": (
        TIES + "parameters: {density: [{filter: x, value: [1, →2]}, {value: 1}]}\n",
        "must lie in [0, 1]",
        "2",
    ),
    "open bound": (
        "merge_method: karcher\nmodels: [{model: a/b}]\nparameters: {epsilon: →0}\n",
        "(0, inf)",
        "0",
    ),
    "not finite": (TIES + "parameters: {lambda: →.inf}\n", "finite", "digits"),
    "nan": (TIES + "parameters: {lambda: →.nan}\n", "finite", "digits"),
    "overflow": (TIES + "parameters: {lambda: →1e999}\n", "finite", "digits"),
    "quoted": (TIES + "parameters: {lambda: →'1.5'}\n", "must be a number", "without quotes: 1.5"),
    "bool for number": (TIES + "parameters: {lambda: →true}\n", "must be a number", "number"),
    "yes": (TIES + "parameters: {normalize: →yes}\n", "true or false", "write true"),
    "off": (TIES + "parameters: {normalize: →off}\n", "true or false", "write false"),
    "bool gradient": (
        TIES + "parameters: {normalize: →[true]}\n",
        "takes no gradient",
        "one value",
    ),
    "ignored mask": (TIES + "parameters: {int8_mask: →maybe}\n", "true or false", "text"),
    "choice": (TIES + "parameters: {scope: →modle}\n", "one of tensor, model", "`model`?"),
    "whole": (
        "merge_method: karcher\nmodels: [{model: a/b}]\nparameters: {max_iter: →2.5}\n",
        "whole number",
        "write",
    ),
    "null value": (TIES + "parameters: {lambda:→ }\n", "expected a value", "gradient"),
    "empty gradient": (TIES + "parameters: {lambda: →[]}\n", "empty gradient", "rows"),
    "nested gradient": (TIES + "parameters: {lambda: [1, →[2]]}\n", "numbers only", "rows"),
    "mixed rows": (TIES + "parameters: {lambda: [{value: 1}, →2]}\n", "expected a row", "rows"),
    "row key": (TIES + "parameters: {lambda: [{value: 1, →fliter: x}]}\n", "`fliter`", "`filter`?"),
    "row value": (TIES + "parameters: {lambda: [→{filter: x}]}\n", "no `value`", "rows"),
    "filter number": (
        TIES + "parameters: {lambda: [{value: 1, filter: →3}]}\n",
        "must be text",
        "*",
    ),
    "sweep": (TIES + "parameters: {lambda: {→sweep: [1, 2]}}\n", "sweep", "one value"),
}
