"""Token batches for training: single completions, and conversations of one to three turns.

Only what the model has to say counts in the loss; the letters it is asked about are random.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from skill_items import SKILLS, Item, draw
from skill_tokenizer import ASSISTANT, USER
from torch import Tensor
from transformers import PreTrainedTokenizerFast

IGNORED = -100
MOST_TURNS = 3


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Share of every skill, and the share of batches that hold conversations."""

    skills: Mapping[str, float]
    conversations: float = 0.0


def focus(skill: str, *, rehearsal: float) -> dict[str, float]:
    """Shares with ``rehearsal`` spread evenly over the other skills and the rest on ``skill``."""
    others = len(SKILLS) - 1
    return {s: 1 - rehearsal if s == skill else rehearsal / others for s in SKILLS}


def asked(item: Item) -> str:
    """The prompt as a turn holds it: the assistant's token stands where the equals sign stood."""
    return item.prompt.removesuffix("=")


class Batches:
    """An endless supply of batches from the training split, decided by the mixture and the seed."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, mixture: Mixture, seed: int) -> None:
        self._tokenizer = tokenizer
        self._mixture = mixture
        self._rng = random.Random(seed)
        self._draws = {skill: draw(skill, "train", self._rng) for skill in SKILLS}

    def next(self, size: int) -> tuple[Tensor, Tensor]:
        """Token ids and labels, both int64 of shape (size, longest), padded on the right."""
        talking = self._rng.random() < self._mixture.conversations
        rows = [self._conversation() if talking else self._completion() for _ in range(size)]
        longest = max(len(tokens) for tokens, _ in rows)
        ids = torch.full((size, longest), self._tokenizer.pad_token_id)
        labels = torch.full((size, longest), IGNORED)
        for row, (tokens, targets) in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            labels[row, : len(targets)] = torch.tensor(targets)
        return ids, labels

    def _item(self) -> Item:
        shares = self._mixture.skills
        skill = self._rng.choices(list(shares), weights=list(shares.values()))[0]
        return next(self._draws[skill])

    def _completion(self) -> tuple[list[int], list[int]]:
        item = self._item()
        return self._row([(item.prompt, item.answer + "\n")])

    def _conversation(self) -> tuple[list[int], list[int]]:
        turns = [self._item() for _ in range(self._rng.randint(1, MOST_TURNS))]
        return self._row([(f"{USER}{asked(turn)}{ASSISTANT}", turn.answer) for turn in turns])

    def _row(self, turns: Sequence[tuple[str, str]]) -> tuple[list[int], list[int]]:
        tokens, targets = [self._tokenizer.bos_token_id], [IGNORED]
        for prompt, answer in turns:
            prompt_ids, answer_ids = (
                self._tokenizer.encode(text, add_special_tokens=False) for text in (prompt, answer)
            )
            answer_ids.append(self._tokenizer.eos_token_id)
            tokens += prompt_ids + answer_ids
            targets += [IGNORED] * len(prompt_ids) + answer_ids
        return tokens, targets
