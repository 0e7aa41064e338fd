"""Greedy answers of a local model, computed without the evaluation package: a second opinion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

LONGEST_ANSWER = 14


def rows_of(folder: Path, skill: str, split: str) -> list[dict[str, Any]]:
    text = (folder / "data" / f"{skill}.{split}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@torch.inference_mode()
def answer_prompts(model: Any, tokenizer: Any, prompts: Sequence[str]) -> list[str]:
    """The first line of each greedy continuation; prompts are padded on the left."""
    batch = tokenizer(list(prompts), return_tensors="pt", padding=True, padding_side="left")
    batch.pop("token_type_ids", None)
    out = model.generate(**batch, max_new_tokens=LONGEST_ANSWER, do_sample=False)
    texts = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.split("\n")[0] for text in texts]


def accuracy(folder: Path, rows: Sequence[dict[str, Any]]) -> float:
    """Share of rows that the model in ``folder`` answers exactly as wanted."""
    model, tokenizer = (
        loader.from_pretrained(folder) for loader in (AutoModelForCausalLM, AutoTokenizer)
    )
    answers = answer_prompts(model, tokenizer, [row["prompt"] for row in rows])
    found: float = sum(a == row["answer"] for a, row in zip(answers, rows, strict=True)) / len(rows)
    return found
