"""Compatibility of the parents' config.json files: what the shapes of tensors do not show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.architecture.model_config import layer_count, text_section
from bot.plan.findings import Findings
from bot.plan.parent_model import ParentModel
from bot.recipe.strict_yaml import shorten

_MUST_AGREE: tuple[tuple[str, ...], ...] = (("hidden_size", "n_embd", "d_model"),)
_SHOULD_AGREE: tuple[tuple[str, ...], ...] = (
    ("num_attention_heads", "n_head"),
    ("num_key_value_heads",),
    ("head_dim",),
    ("rope_theta",),
    ("hidden_act", "hidden_activation", "activation_function"),
    ("rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps"),
)


def check_fit(
    models: Sequence[ParentModel], config_source: ParentModel, findings: Findings
) -> None:
    """Compare every model's config with the config source's."""
    for model in models:
        _depth(model, findings)
        if model is config_source:
            continue
        _architecture(model, config_source, findings)
        for keys in _MUST_AGREE:
            mine, theirs = _setting(model, keys), _setting(config_source, keys)
            if None not in (mine, theirs) and mine != theirs:
                findings.problem(
                    f"{keys[0]} differs: {_value_text(model, mine)}, "
                    f"{_value_text(config_source, theirs)}",
                    hint="only models of one width can be merged",
                )
        for keys in _SHOULD_AGREE:
            mine, theirs = _setting(model, keys), _setting(config_source, keys)
            if None not in (mine, theirs) and mine != theirs:
                findings.warn(
                    f"{keys[0]} differs: {_value_text(model, mine)}, "
                    f"{_value_text(config_source, theirs)}; "
                    f"the merge runs with {config_source.label}'s"
                )


def _depth(model: ParentModel, findings: Findings) -> None:
    """Warn where the tensors make up fewer layers than the config states.

    This is no problem: some architectures share layers.
    """
    promised, found = layer_count(model.config), model.tensor_layout.depth
    if promised is not None and found < promised:
        findings.warn(
            f"config.json of {model.label} states {shorten(str(promised))} layers, "
            f"its tensors make up {found}"
        )


def _architecture(model: ParentModel, config_source: ParentModel, findings: Findings) -> None:
    mine, theirs = _kind(model), _kind(config_source)
    if mine and theirs and mine != theirs:
        findings.problem(
            f"the architectures differ: {model.label} is {shorten(mine)}, "
            f"{config_source.label} is {shorten(theirs)}",
            hint="merge models of one architecture",
        )


def _kind(model: ParentModel) -> str | None:
    """``model_type``, or the first entry of ``architectures`` where it is missing."""
    kind = model.config.get("model_type")
    if isinstance(kind, str):
        return kind
    classes = model.config.get("architectures")
    return str(classes[0]) if isinstance(classes, list) and classes else None


def _value_text(model: ParentModel, value: Any) -> str:
    """A config's value for messages, shortened: it can be of any type and length."""
    return f"{model.label} has {shorten(str(value))}"


def _setting(model: ParentModel, keys: Sequence[str]) -> Any:
    section = text_section(model.config)
    for key in keys:
        if section.get(key) is not None:
            return section[key]
    # transformers 5 moved the rotary settings into a section of their own.
    rotary = section.get("rope_parameters")
    return rotary.get(keys[0]) if isinstance(rotary, dict) else None
