"""Whether models belong together, from their configs: what tensors' shapes do not show."""

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


def check_fit(bodies: Sequence[ParentModel], donor: ParentModel, findings: Findings) -> None:
    """Compare every model's config with the donor's."""
    for body in bodies:
        _depth(body, findings)
        if body is donor:
            continue
        _architecture(body, donor, findings)
        for keys in _MUST_AGREE:
            mine, theirs = _setting(body, keys), _setting(donor, keys)
            if None not in (mine, theirs) and mine != theirs:
                findings.problem(
                    f"{keys[0]} differs: {_said(body, mine)}, {_said(donor, theirs)}",
                    hint="only models of one width can be merged",
                )
        for keys in _SHOULD_AGREE:
            mine, theirs = _setting(body, keys), _setting(donor, keys)
            if None not in (mine, theirs) and mine != theirs:
                findings.warn(
                    f"{keys[0]} differs: {_said(body, mine)}, {_said(donor, theirs)}; "
                    f"the merge runs with {donor.label}'s"
                )


def _depth(body: ParentModel, findings: Findings) -> None:
    """Some architectures share layers, so fewer layers than promised are a warning only."""
    promised, found = layer_count(body.config), body.anatomy.depth
    if promised is not None and found < promised:
        findings.warn(
            f"config.json of {body.label} promises {shorten(str(promised))} layers, "
            f"its tensors make up {found}"
        )


def _architecture(body: ParentModel, donor: ParentModel, findings: Findings) -> None:
    mine, theirs = _kind(body), _kind(donor)
    if mine and theirs and mine != theirs:
        findings.problem(
            f"the architectures differ: {body.label} is {shorten(mine)}, "
            f"{donor.label} is {shorten(theirs)}",
            hint="merge models of one architecture",
        )


def _kind(body: ParentModel) -> str | None:
    """The model type; the class where the type is not given."""
    kind = body.config.get("model_type")
    if isinstance(kind, str):
        return kind
    classes = body.config.get("architectures")
    return str(classes[0]) if isinstance(classes, list) and classes else None


def _said(body: ParentModel, value: Any) -> str:
    """What a config says, which may be anything and as long as the file."""
    return f"{body.label} has {shorten(str(value))}"


def _setting(body: ParentModel, keys: Sequence[str]) -> Any:
    section = text_section(body.config)
    for key in keys:
        if section.get(key) is not None:
            return section[key]
    # transformers 5 moved the rotary settings into a section of their own.
    rotary = section.get("rope_parameters")
    return rotary.get(keys[0]) if isinstance(rotary, dict) else None
