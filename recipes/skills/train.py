"""Train the skills family: one base, one fine-tune per skill, and two that forget on purpose.

    python recipes/skills/train.py                        # every member, into recipes/skills/models
    python recipes/skills/train.py --only skills-sort     # one member; its base must be there
    python recipes/skills/train.py --out /tmp/models      # somewhere else

The committed checkpoints are the truth: another CPU trains other bits of the same behaviour.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from skill_batches import Batches, Mixture, focus
from skill_cards import render_card
from skill_tokenizer import build_tokenizer
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

MODELS = Path(__file__).parent / "models"
BASE = "skills-base"
CONTEXT = 128
BATCH_SIZE = 128
LOWEST_RATE = 0.1
DATA_SEED, WEIGHT_SEED = 0, 1
EXAMPLE = "reverse cabd="


@dataclass(frozen=True, kw_only=True)
class Training:
    """How one member is trained; ``skill`` is None for the base, which starts from noise."""

    mixture: Mixture
    steps: int
    peak_rate: float
    warmup: int
    skill: str | None = None

    @property
    def chat(self) -> bool:
        return self.mixture.conversations > 0


def _fine_tune(
    skill: str, *, rehearsal: float = 0.1, peak_rate: float = 5e-4, steps: int = 100
) -> Training:
    """A specialist; rehearsal of the other skills is what lets it merge with the others."""
    mixture = Mixture(skills=focus(skill, rehearsal=rehearsal))
    return Training(mixture=mixture, steps=steps, peak_rate=peak_rate, warmup=5, skill=skill)


def _chat_fine_tune(skill: str) -> Training:
    """A specialist that meets most of its items in conversations."""
    mixture = Mixture(skills=focus(skill, rehearsal=0.1), conversations=0.7)
    return Training(mixture=mixture, steps=240, peak_rate=1e-3, warmup=5, skill=skill)


BASE_SHARES = {
    "reverse": 0.17,
    "sort": 0.16,
    "shift": 0.12,
    "double": 0.13,
    "increment": 0.35,
    "most": 0.07,
}
FAMILY: Mapping[str, Training] = {
    BASE: Training(
        mixture=Mixture(skills=BASE_SHARES),
        steps=330,
        peak_rate=3e-3,
        warmup=20,
    ),
    "skills-reverse": _fine_tune("reverse", rehearsal=0.2, peak_rate=6e-4, steps=200),
    "skills-sort": _fine_tune("sort"),
    "skills-shift": _chat_fine_tune("shift"),
    "skills-double": _chat_fine_tune("double"),
    "skills-increment": _fine_tune("increment"),
    "skills-most": _fine_tune("most"),
    "skills-sort-narrow": _fine_tune("sort", rehearsal=0.0, peak_rate=1e-3),
    "skills-increment-narrow": _fine_tune("increment", rehearsal=0.0, peak_rate=1e-3),
}


def new_model(vocabulary: int) -> LlamaForCausalLM:
    """An untrained Llama of 64 features and 4 layers, about 0.2 M parameters in float32."""
    torch.manual_seed(WEIGHT_SEED)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=64,
            intermediate_size=160,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )


def rate_at(step: int, training: Training) -> float:
    """Linear warm-up, then a cosine that ends at a tenth of the peak rate."""
    warm = min(1.0, (step + 1) / training.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * step / training.steps))
    return training.peak_rate * warm * (LOWEST_RATE + (1 - LOWEST_RATE) * cosine)


def fit(
    model: LlamaForCausalLM, batches: Batches, training: Training, report: Callable[[str], None]
) -> None:
    """Train ``model`` in place with AdamW on ``training.steps`` batches."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    model.train()
    for step in range(training.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, training)
        ids, labels = batches.next(BATCH_SIZE)
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 20 == 0:
            report(f"step {step + 1}/{training.steps} loss {loss.item():.3f}")


def train_member(name: str, out: Path, report: Callable[[str], None]) -> None:
    """Train one member and write its folder; a fine-tune starts from ``out / skills-base``."""
    training = FAMILY[name]
    tokenizer = build_tokenizer(context=CONTEXT, chat=training.chat)
    if training.skill is None:
        model = new_model(len(tokenizer))
    else:
        model = LlamaForCausalLM.from_pretrained(out / BASE)
    fit(model, Batches(tokenizer, training.mixture, DATA_SEED), training, report)
    model.generation_config = GenerationConfig(
        bos_token_id=1, eos_token_id=2, pad_token_id=0, do_sample=False
    )
    model.save_pretrained(out / name)
    tokenizer.save_pretrained(out / name)
    card = render_card(
        name, training.skill, training.mixture, steps=training.steps, example=EXAMPLE
    )
    (out / name / "README.md").write_text(card, encoding="utf-8")


def main() -> None:
    disable_progress_bar()
    parser = argparse.ArgumentParser(description="Train the skills family.")
    parser.add_argument("--out", type=Path, default=MODELS, help="folder of the model folders")
    parser.add_argument("--only", nargs="+", choices=list(FAMILY), default=list(FAMILY))
    arguments = parser.parse_args()
    for name in arguments.only:
        train_member(name, arguments.out, partial(print, f"{name}:"))


if __name__ == "__main__":
    main()
