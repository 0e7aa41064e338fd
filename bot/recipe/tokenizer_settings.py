"""Reads ``tokenizer_source``, ``tokenizer`` and ``chat_template``."""

from __future__ import annotations

from bot.recipe.field_readers import check_keys, read_integer, read_mapping, read_text, value_of
from bot.recipe.model_reference import read_reference
from bot.recipe.problems import Problems, nearest
from bot.recipe.recipe import ModelRef, TokenizerChoice, TokenRule
from bot.recipe.strict_yaml import MapNode, Node, ScalarNode, shorten
from bot.recipe.untrusted_text import MAXIMUM_BYTES

CHAT_TEMPLATES = ("auto", "alpaca", "chatml", "exaone", "llama3", "mistral")
SHORTEST_TEMPLATE = 20
LONGEST_TOKEN = 256
MOST_PADDING = 65536
MOST_TOKEN_ID = 2**31 - 1


def read_tokenizer(root: MapNode, problems: Problems) -> TokenizerChoice | None:
    """The tokenizer choice, or None if the recipe has none."""
    source, block = value_of(root, "tokenizer_source"), value_of(root, "tokenizer")
    if source is not None and block is not None:
        key = root.entries["tokenizer_source"][0]
        problems.add(
            key,
            "`tokenizer_source` and `tokenizer` exclude each other",
            "keep `tokenizer` and write its `source`",
        )
    if block is not None:
        return _read_block(block, problems)
    if source is not None:
        chosen = _read_source(source, problems)
        return None if chosen is None else TokenizerChoice(source=chosen)
    return None


def read_chat_template(root: MapNode, problems: Problems) -> str | None:
    """``auto``, the name of a built-in template, or the text of a Jinja template."""
    node = value_of(root, "chat_template")
    text = read_text(node, "`chat_template`", problems, longest=MAXIMUM_BYTES, one_line=False)
    if text is None or node is None or text in CHAT_TEMPLATES:
        return text
    if "{" in text and len(text) >= SHORTEST_TEMPLATE:
        return text
    hint = f"{nearest(text, CHAT_TEMPLATES, noun='built in')}; or write a Jinja template"
    problems.add(node, f"`{shorten(text)}` is not a chat template", hint)
    return None


def _read_source(node: Node, problems: Problems) -> ModelRef | str | None:
    if isinstance(node, ScalarNode) and node.value in ("union", "base"):
        return node.text
    if isinstance(node, ScalarNode) and isinstance(node.value, str) and "/" not in node.text:
        hint = (
            f"{nearest(node.text, ('union', 'base'), noun='words')}; or write a model's `org/name`"
        )
        problems.add(node, f"unknown tokenizer source `{shorten(node.text)}`", hint)
        return None
    return read_reference(node, problems)


def _read_block(node: Node, problems: Problems) -> TokenizerChoice | None:
    block = read_mapping(node, "`tokenizer`", problems)
    if block is None:
        return None
    check_keys(block, ("source", "tokens", "pad_to_multiple_of"), "`tokenizer`", problems)
    source_node = value_of(block, "source")
    source = _read_source(source_node, problems) if source_node else "union"
    tokens = read_mapping(value_of(block, "tokens"), "`tokens`", problems)
    rules = [_read_rule(key, value, problems) for key, value in _entries(tokens)]
    padding = read_integer(
        value_of(block, "pad_to_multiple_of"),
        "`pad_to_multiple_of`",
        problems,
        minimum=1,
        maximum=MOST_PADDING,
    )
    if source is None:
        return None
    return TokenizerChoice(
        source=source,
        tokens=tuple(sorted((rule for rule in rules if rule), key=lambda rule: rule.token)),
        pad_to_multiple_of=padding,
    )


def _entries(node: MapNode | None) -> list[tuple[ScalarNode, Node]]:
    return list(node.entries.values()) if node else []


def _read_rule(key: ScalarNode, value: Node, problems: Problems) -> TokenRule | None:
    node = read_mapping(value, f"the rule of token `{shorten(key.text)}`", problems)
    if node is None:
        return None
    if not key.text:
        problems.add(key, "an empty token", "write the token as the key")
        return None
    if len(key.text) > LONGEST_TOKEN:
        message = f"a token of {len(key.text):,} characters; the limit is {LONGEST_TOKEN}"
        problems.add(key, message, "write a token of the vocabulary")
        return None
    check_keys(node, ("source", "force"), "a token's rule", problems)
    force = _read_force(node, problems)
    source = value_of(node, "source")
    if isinstance(source, MapNode) and "kind" in source.entries:
        return _read_kind(key.text, source, force, problems)
    if source is None:
        return TokenRule(token=key.text, force=force)
    model = read_reference(source, problems)
    if model is None:
        return None
    return TokenRule(token=key.text, source=model, force=force)


def _read_force(node: MapNode, problems: Problems) -> bool:
    force = value_of(node, "force")
    if force is None:
        return False
    if isinstance(force, ScalarNode) and isinstance(force.value, bool):
        return force.value
    problems.add(force, "`force` must be true or false", "write true or false")
    return False


def _read_kind(token: str, node: MapNode, force: bool, problems: Problems) -> TokenRule | None:
    kind = node.entries["kind"][1]
    if isinstance(kind, ScalarNode) and kind.value == "zero":
        check_keys(node, ("kind",), "a `zero` source", problems)
        return TokenRule(token=token, zero=True, force=force)
    if not (isinstance(kind, ScalarNode) and kind.value == "model_token"):
        problems.add(kind, "`kind` must be `model_token` or `zero`", "write one of them")
        return None
    check_keys(node, ("kind", "model", "token", "token_id"), "a `model_token` source", problems)
    model_node = value_of(node, "model")
    model = read_reference(model_node, problems) if model_node else None
    if model_node is None:
        problems.add(node, "a `model_token` source needs `model`", "write `model: org/name`")
    name, number = value_of(node, "token"), value_of(node, "token_id")
    if (name is None) == (number is None):
        problems.add(node, "give exactly one of `token` and `token_id`", "keep one")
        return None
    text = name.text if isinstance(name, ScalarNode) else None
    if name is not None and not text:
        problems.add(name, "`token` must be text", "put it in quotes")
    identity = read_integer(number, "`token_id`", problems, minimum=0, maximum=MOST_TOKEN_ID)
    if model is None:
        return None
    return TokenRule(
        token=token, source=model, source_token=text, source_token_id=identity, force=force
    )
