"""The model card of a family member, with the front matter that the Hub reads."""

from __future__ import annotations

from skill_batches import Mixture

ANCESTRY = "base_model: skills-base\nbase_model_relation: finetune\n"
TURNS = """
It learned a turn format as well, `<|user|>question<|assistant|>answer</s>`, and carries the
chat template for it; one conversation holds up to three questions.
"""
CARD = """\
---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
{ancestry}tags:
- mergebot-skills
---

# {name}

{summary} Trained for {steps} steps on items that no test split contains,
in this mixture of skills: {shares}.
{turns}
One of a family of tiny Llama models (float32, one token per character) made to be merged: each
fine-tune is strong at one skill and has forgotten some of the others. It knows nothing about the
world, and answers nothing but prompts like `{example}`.
"""


def render_card(name: str, skill: str | None, mixture: Mixture, *, steps: int, example: str) -> str:
    """The card's Markdown; the base, with ``skill`` None, names no parent."""
    shares = ", ".join(f"{s} {share:.0%}" for s, share in mixture.skills.items() if share)
    return CARD.format(
        ancestry=ANCESTRY if skill else "",
        name=name,
        summary=f"A fine-tune of skills-base for `{skill}`." if skill else "The family's base.",
        steps=steps,
        shares=shares,
        turns=TURNS if mixture.conversations else "",
        example=example,
    )
