from __future__ import annotations

import pytest

from leaderboard import number_format


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number_format.points(0.684), "68.4"),
        (number_format.points(-0.00001), "0.0"),
        (number_format.points(-0.021), "−2.1"),
        (number_format.points(None), "—"),
        (number_format.signed(0.016), "+1.6"),
        (number_format.signed(-0.012), "−1.2"),
        (number_format.signed(-0.0004), "0.0"),
        (number_format.signed(None), "—"),
        (number_format.interval(-0.004, 0.028), "[−0.4, 2.8]"),
        (number_format.interval(None, 0.1), "—"),
        (number_format.half_width(0.675, 0.693), "±0.9"),
        (number_format.p_value(0.00009), "p < 0.001"),
        (number_format.p_value(0.0123), "p = 0.012"),
        (number_format.p_value(0.5), "p = 0.50"),
        (number_format.parameters(8_030_261_248), "8.0B"),
        (number_format.parameters(209_920), "209.9k"),
        (number_format.parameters(999_999_999), "1.0B"),
        (number_format.parameters(None), "—"),
        (number_format.memory(16_060_522_496), "16.1 GB"),
        (number_format.memory(999), "999 B"),
        (number_format.memory(0), "0 B"),
        (number_format.rank_range(3, 9), "3–9"),
        (number_format.rank_range(1, 1), "1"),
        (number_format.count_of(1, "attempt"), "1 attempt"),
        (number_format.count_of(1_200, "model"), "1,200 models"),
        (number_format.listed(["a", "b", "c"]), "a, b and c"),
        (number_format.moment("2026-11-22T09:14:00Z"), "2026-11-22 09:14 UTC"),
    ],
)
def test_numbers_are_written_one_way(written: str, expected: str) -> None:
    assert written == expected
