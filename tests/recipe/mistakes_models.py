"""Mistakes in models, references and slices: recipe (wrong at the arrow), message, hint."""

from __future__ import annotations

from tests.recipe.support import LINEAR, SLERP, SLICES, STOCK

MODELS = {
    "none": ("merge_method: linear\nmodels: →[]\n", "at least 1 model; here: 0", "add a model"),
    "too few": (
        STOCK + "models: →[{model: a/b}]\n",
        "at least 2 models besides the base; here: 1",
        "add a model",
    ),
    "base does not count": (STOCK + "models: →[{model: a/b}, {model: o/base}]\n", "here: 1", "add"),
    "too many": (
        SLERP.replace("[{", "→[{x: 1}, {").replace("{x: 1}", "{model: e/f}")
        + "parameters: {t: 0.5}\n",
        "slerp takes 1 model besides the base; here: 2",
        "remove",
    ),
    "twice": (
        LINEAR.replace("}}]", "}}, {model: →a/b, parameters: {weight: 1}}]"),
        "is listed twice",
        "keep one",
    ),
    "no key": (
        LINEAR.replace("}}]", "}}, →{parameters: {weight: 1}}]"),
        "missing key `model`",
        "org/name",
    ),
    "layer range": (
        LINEAR.replace("}}]", "}, →layer_range: [0, 1]}]"),
        "`layer_range`",
        "`slices`",
    ),
    "weight beside": (
        LINEAR.replace("parameters: {weight: 1}", "parameters: {weight: 1}, →weight: 1"),
        "unknown key `weight`",
        "under `parameters:`",
    ),
    "text item": ("merge_method: linear\nmodels: [→a/b]\n", "must be a mapping", "key: value"),
    "missing weight": (
        "merge_method: linear\nmodels: [{model: →a/b}]\n",
        "missing parameter `weight` for `a/b`",
        "parameters: {weight: ...}",
    ),
    "missing t": (SLERP.replace("slerp", "→slerp"), "missing parameter `t`", "add `t`"),
    "bare name": (LINEAR + "base_model: →gpt2\n", "`gpt2` is not a model", "`org/gpt2`"),
    "url": (LINEAR + "base_model: →https://huggingface.co/a/b\n", "is not a model", "write `a/b`"),
    "hf url": (LINEAR + "base_model: →hf://a/b\n", "is not a model", "write `a/b`"),
    "dots": (LINEAR + "base_model: →a..b/c\n", "no `..`", "org/name"),
    "wide": (LINEAR + "base_model: →ａ/b\n", "is not a model", "org/name"),
    "git": (LINEAR + "base_model: →a/b.git\n", "must not end", "org/name"),
    "long id": (LINEAR + f"base_model: →{'a' * 60}/{'b' * 60}\n", "96 characters", "org/name"),
    "deep path": (LINEAR + "base_model: →a/b/c\n", "is not a model", "org/name"),
    "two ats": (LINEAR + "base_model: →a/b@c@d\n", "more than one `@`", "revision"),
    "two adapters": (LINEAR + "base_model: →a/b+c/d+e/f\n", "more than one `+`", "LoRA"),
    "bad adapter": (LINEAR + "base_model: →a/b+c\n", "`c` is not a model", "org/c"),
    "revision": (LINEAR + "base_model: →a/b@../x\n", "not a revision", "commit"),
    "no revision": (LINEAR + "base_model: →a/b@\n", "not a revision", "commit"),
    "folder revision": (LINEAR + "base_model: →./x@main\n", "no revision", "Hub"),
    "mapping": (LINEAR + "base_model: →{lora: a/b}\n", "needs the key `model`", "org/name"),
    "mapping key": (LINEAR + "base_model: {model: a/b, →lroa: c/d}\n", "`lroa`", "`lora`?"),
    "mapping arch": (
        LINEAR + "base_model: {model: a/b, →override_architecture: X}\n",
        "refused",
        "config",
    ),
    "mapping path": (
        LINEAR + "base_model: {model: →{revision: x}}\n",
        "missing key `path`",
        "write",
    ),
}

LAYERS = {
    "empty": ("merge_method: linear\nslices: →[]\n", "`slices` is empty", "- sources:"),
    "no sources": (SLICES + "- →base_model: a/b\n", "needs `sources`", "layer ranges"),
    "model in slice": (
        SLICES + "- sources: [{model: a/b, layer_range: [0, 1]}]\n  →model: c/d\n",
        "unknown key `model`",
        "in the slice's `sources`",
    ),
    "residual": (
        SLICES + "- sources: [{model: a/b, layer_range: [0, 1]}]\n  →residual_weight: 1\n",
        "never uses it",
        "stays the same",
    ),
    "no range": (
        SLICES + "- sources: [→{model: a/b}]\n",
        "missing key `layer_range`",
        "[first, end]",
    ),
    "range of three": (
        SLICES + "- sources: [{model: a/b, layer_range: →[0, 1, 2]}]\n",
        "must be [first, end]",
        "not included",
    ),
    "range text": (
        SLICES + "- sources: [{model: a/b, layer_range: →0-8}]\n",
        "must be",
        "not included",
    ),
    "range float": (
        SLICES + "- sources: [{model: a/b, layer_range: [0, →1.5]}]\n",
        "whole",
        "digits",
    ),
    "negative": (
        SLICES + "- sources: [{model: a/b, layer_range: [→-1, 2]}]\n",
        "[0, 10000]",
        "choose",
    ),
    "no layer": (
        SLICES + "- sources: [{model: a/b, layer_range: →[4, 3]}]\n",
        "ends before it begins",
        "not included",
    ),
    "lengths": (
        (
            "merge_method: linear\nparameters: {weight: 1}\nslices:\n- sources:\n"
            "  - {model: a/b, layer_range: [0, 4]}\n  - {model: →c/d, layer_range: [0, 5]}\n"
        ),
        "has 5 layers, the slice's first one has 4",
        "equally long",
    ),
    "two for passthrough": (
        SLICES
        + "- sources: →[{model: a/b, layer_range: [0, 1]}, {model: c/d, layer_range: [0, 1]}]\n",
        "takes 1 model; here: 2",
        "remove",
    ),
    "base not listed": (
        (
            "merge_method: ties\nbase_model: o/base\nparameters: {weight: 1}\nslices:\n"
            "- sources: →[{model: a/b, layer_range: [0, 1]}]\n"
        ),
        "`o/base` is not among the slice's sources",
        "`layer_range`",
    ),
}
