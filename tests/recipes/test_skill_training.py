"""Training: batches hold what the mixture says, and a real run learns what it is for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from skill_batches import IGNORED, Batches, Mixture, focus
from skill_items import SKILLS, split_of
from skill_tokenizer import build_tokenizer
from train import BASE, FAMILY, rate_at, train_member

from tests.recipes.answers import accuracy, rows_of

TOKENIZER = build_tokenizer(context=128, chat=True)
EVEN = {skill: 1 / len(SKILLS) for skill in SKILLS}


def _texts(mixture: Mixture, *, seed: int, size: int) -> tuple[list[str], list[str]]:
    """What a batch shows, and what it asks to be said, both as text without padding."""
    ids, labels = Batches(TOKENIZER, mixture, seed).next(size)
    shown = [TOKENIZER.decode(row[row != TOKENIZER.pad_token_id]) for row in ids]
    said = [TOKENIZER.decode(row[row != IGNORED]) for row in labels]
    return shown, said


def test_focus_shares_add_up() -> None:
    shares = focus("sort", rehearsal=0.1)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["sort"] == 0.9
    assert len({share for skill, share in shares.items() if skill != "sort"}) == 1


def test_completions_ask_for_the_answer_alone() -> None:
    for shown, said in zip(*_texts(Mixture(skills=EVEN), seed=1, size=64), strict=True):
        prompt, equals, answer = shown.removeprefix("<s>").partition("=")
        assert split_of(prompt + equals) == "train"
        assert said == answer
        assert said.endswith("\n</s>")


def test_conversations_ask_for_every_answer() -> None:
    mixture = Mixture(skills=EVEN, conversations=1.0)
    lengths: Counter[int] = Counter()
    for shown, said in zip(*_texts(mixture, seed=2, size=64), strict=True):
        turns = shown.removeprefix("<s>").split("<|user|>")[1:]
        lengths[len(turns)] += 1
        assert said == "".join(turn.split("<|assistant|>")[1] for turn in turns)
        assert all(split_of(turn.split("<|assistant|>")[0] + "=") == "train" for turn in turns)
    assert set(lengths) == {1, 2, 3}


@pytest.mark.parametrize("sign", ["", "="])
def test_conversations_are_what_the_chat_template_renders(sign: str) -> None:
    shown, _ = _texts(Mixture(skills=EVEN, conversations=1.0), seed=3, size=16)
    for text in shown:
        messages = []
        for turn in text.removeprefix("<s>").split("<|user|>")[1:]:
            question, answer = turn.removesuffix("</s>").split("<|assistant|>")
            messages += [
                {"role": "user", "content": question + sign},
                {"role": "assistant", "content": answer},
            ]
        assert TOKENIZER.apply_chat_template(messages, tokenize=False) == text


def test_batches_follow_the_seed() -> None:
    mixture = Mixture(skills=EVEN)
    assert _texts(mixture, seed=4, size=8) == _texts(mixture, seed=4, size=8)
    assert _texts(mixture, seed=4, size=8) != _texts(mixture, seed=5, size=8)


def test_rate_warms_up_then_falls_to_a_tenth() -> None:
    training = FAMILY[BASE]
    rates = [rate_at(step, training) for step in range(training.steps + 1)]
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(training.peak_rate / 10)
    assert max(rates) <= training.peak_rate


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_training_teaches_the_skill(family_folder: Path, tmp_path: Path) -> None:
    for name in (BASE, "skills-sort"):
        train_member(name, tmp_path, lambda _: None)
    searched = {skill: rows_of(family_folder, skill, "search")[:200] for skill in SKILLS}
    base, sort = (
        {skill: accuracy(tmp_path / name, rows) for skill, rows in searched.items()}
        for name in (BASE, "skills-sort")
    )
    assert 0.4 < sum(base.values()) / len(base) < 0.8
    assert sort["sort"] > 0.8
    assert sort["sort"] > base["sort"]
    assert sum(sort.values()) - sort["sort"] < sum(base.values()) - base["sort"] + 0.1
