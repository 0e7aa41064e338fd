"""What counts as a degenerate answer, and how many of them are a warning."""

from __future__ import annotations

import pytest

from bot.check.model_checks import Generation, check_generation


def generations(tokens: list[int], text: str = "words") -> Generation:
    return Generation(prompt="p", tokens=tuple(tokens), text=text)


@pytest.mark.parametrize(
    ("answer", "degenerate"),
    [
        (generations([7] * 32), True),
        (generations([1, 2, 3] + [4, 5] * 8), True),
        (generations([1, 2, 3, 4] * 8), True),
        (generations([1, 2, 3, 4, 5] * 6), False),
        (generations([7] * 15), False),
        (generations(list(range(32))), False),
        (generations([2], text=""), True),
        (generations([9, 9, 2], text=" \n"), True),
    ],
)
def test_circles_and_silence_are_degenerate(answer: Generation, degenerate: bool) -> None:
    assert check_generation([answer]).passed is not degenerate


def test_a_warning_needs_more_than_half_of_the_answers() -> None:
    good, bad = generations(list(range(32))), generations([7] * 32)
    assert check_generation([good, bad]).passed
    assert not check_generation([good, bad, bad]).passed
    assert not check_generation([bad]).hard
