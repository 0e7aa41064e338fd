"""Reads a recipe's top level: its keys, and the rules between them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.recipe.field_readers import check_keys, read_integer, read_text, value_of
from bot.recipe.metadata import ABOUT_KEYS, read_about
from bot.recipe.method_signature import Signature
from bot.recipe.model_reference import read_reference
from bot.recipe.models_and_slices import MethodChoice, read_models, read_slices
from bot.recipe.problems import Problems, close_matches, nearest
from bot.recipe.read_parameters import read_parameters, written_names
from bot.recipe.recipe import Parameters, Recipe
from bot.recipe.strict_yaml import MapNode, Node, RefusedNode, ScalarNode, shorten
from bot.recipe.tokenizer_settings import read_chat_template, read_tokenizer

MERGE_KEYS = (
    "merge_method",
    "models",
    "slices",
    "base_model",
    "parameters",
    "dtype",
    "out_dtype",
    "tokenizer_source",
    "tokenizer",
    "chat_template",
)
TOP_KEYS = MERGE_KEYS + ABOUT_KEYS
DTYPES = ("bfloat16", "float16", "float32", "float64")
GREATEST_SEED = 2**63 - 1


def read_recipe(
    root: Node, signatures: Mapping[str, Signature], problems: Problems, *, text: str, file: str
) -> Recipe | None:
    """The recipe of a document; it is complete only if no problem was added."""
    if not isinstance(root, MapNode):
        if not isinstance(root, RefusedNode):
            problems.add(
                root,
                "a recipe is a mapping of keys",
                "begin with `merge_method: linear` and a list of `models`",
            )
        return None
    signature = _read_method(root, signatures, problems)
    meant = signature or _meant_method(root, signatures)
    check_keys(root, TOP_KEYS, "the recipe", problems, **_misplaced(meant))
    base_node = value_of(root, "base_model")
    parameters = _top_parameters(root, meant, problems)
    method = MethodChoice(
        signature=signature,
        meant=meant,
        place=root.entries["merge_method"][1] if "merge_method" in root.entries else root,
        base=read_reference(base_node, problems) if base_node else None,
        base_written=base_node is not None,
        parameters=parameters,
        names=written_names(value_of(root, "parameters"), signature),
    )
    models, slices = _either(root, problems)
    return Recipe(
        merge_method=signature.name if signature else "",
        models=read_models(models, method, problems) if models else None,
        slices=read_slices(slices, method, problems) if slices else None,
        base_model=method.base,
        parameters=parameters,
        dtype=_read_dtype(root, "dtype", problems),
        out_dtype=_read_dtype(root, "out_dtype", problems),
        tokenizer=read_tokenizer(root, problems),
        chat_template=read_chat_template(root, problems),
        seed=_read_seed(root, problems),
        about=read_about(root, problems),
        text=text,
        file=file,
    )


def _read_method(
    root: MapNode, signatures: Mapping[str, Signature], problems: Problems
) -> Signature | None:
    node = value_of(root, "merge_method")
    if node is None:
        place = root.entries["merge_method"][1] if "merge_method" in root.entries else root
        problems.add(
            place, "missing key `merge_method`", f"choose one of: {', '.join(sorted(signatures))}"
        )
        return None
    if isinstance(node, RefusedNode):
        return None
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        hint = f"methods: {', '.join(sorted(signatures))}"
        problems.add(node, "`merge_method` must be the name of a method", hint)
        return None
    if node.text not in signatures:
        hint = nearest(node.text, sorted(signatures), noun="methods")
        problems.add(node, f"unknown merge method `{shorten(node.text)}`", hint)
        return None
    return signatures[node.text]


def _meant_method(root: MapNode, signatures: Mapping[str, Signature]) -> Signature | None:
    """The method that a misspelt name most resembles; its parameters are then checked."""
    node = value_of(root, "merge_method")
    close = close_matches(node.text, signatures) if isinstance(node, ScalarNode) else []
    return signatures[close[0]] if close else None


def _misplaced(signature: Signature | None) -> dict[str, str]:
    hints = {"layer_range": "write it beside `model` in a slice's `sources`"}
    hints["sources"] = "write it in an item of `slices`"
    for param in signature.parameters if signature else ():
        hints[param.name] = (
            f"it is a parameter: write it under `parameters:` as `{param.name}: ...`"
        )
    return hints


def _top_parameters(root: MapNode, signature: Signature | None, problems: Problems) -> Parameters:
    node = value_of(root, "parameters")
    return read_parameters(node, signature, "recipe", problems) if node else {}


def _either(root: MapNode, problems: Problems) -> tuple[Node | None, Node | None]:
    models, slices = value_of(root, "models"), value_of(root, "slices")
    if models is not None and slices is not None:
        later = max(root.entries["models"][0], root.entries["slices"][0], key=lambda k: k.line)
        problems.add(
            later,
            "`models` and `slices` exclude each other",
            "keep `models` to merge whole models, `slices` to choose layers",
        )
    elif models is None and slices is None and "modules" not in root.entries:
        problems.add(
            root,
            "the recipe names no models: `models` or `slices` is missing",
            "write `models:` and one `- model: org/name` line for each",
        )
    return models, slices


def _read_dtype(root: MapNode, key: str, problems: Problems) -> str | None:
    node = value_of(root, key)
    text = read_text(node, f"`{key}`", problems, longest=64)
    if text is None or node is None:
        return None
    name = text.removeprefix("torch.")
    if name not in DTYPES:
        hint = nearest(name, DTYPES, noun="dtypes")
        problems.add(node, f"unknown {key} `{shorten(text)}`", hint)
        return None
    return name


def _read_seed(root: MapNode, problems: Problems) -> int:
    node = value_of(root, "seed")
    return read_integer(node, "`seed`", problems, minimum=0, maximum=GREATEST_SEED) or 0
