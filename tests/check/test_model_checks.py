"""What counts as a degenerate answer, and how many of them are a warning."""

from __future__ import annotations

import pytest

from bot.check.model_checks import FirstWords, judge_generation


def spoken(tokens: list[int], text: str = "words") -> FirstWords:
    return FirstWords(prompt="p", tokens=tuple(tokens), text=text)


@pytest.mark.parametrize(
    ("answer", "degenerate"),
    [
        (spoken([7] * 32), True),
        (spoken([1, 2, 3] + [4, 5] * 8), True),
        (spoken([1, 2, 3, 4] * 8), True),
        (spoken([1, 2, 3, 4, 5] * 6), False),
        (spoken([7] * 15), False),
        (spoken(list(range(32))), False),
        (spoken([2], text=""), True),
        (spoken([9, 9, 2], text=" \n"), True),
    ],
)
def test_circles_and_silence_are_degenerate(answer: FirstWords, degenerate: bool) -> None:
    assert judge_generation([answer]).passed is not degenerate


def test_a_warning_needs_more_than_half_of_the_answers() -> None:
    good, bad = spoken(list(range(32))), spoken([7] * 32)
    assert judge_generation([good, bad]).passed
    assert not judge_generation([good, bad, bad]).passed
    assert not judge_generation([bad]).hard
