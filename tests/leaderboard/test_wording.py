from __future__ import annotations

import pytest

from leaderboard import wording


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (wording.points(0.684), "68.4"),
        (wording.points(-0.00001), "0.0"),
        (wording.points(-0.021), "−2.1"),
        (wording.points(None), "—"),
        (wording.signed(0.016), "+1.6"),
        (wording.signed(-0.012), "−1.2"),
        (wording.signed(-0.0004), "0.0"),
        (wording.signed(None), "—"),
        (wording.interval(-0.004, 0.028), "[−0.4, 2.8]"),
        (wording.interval(None, 0.1), "—"),
        (wording.half_width(0.675, 0.693), "±0.9"),
        (wording.p_value(0.00009), "p < 0.001"),
        (wording.p_value(0.0123), "p = 0.012"),
        (wording.p_value(0.5), "p = 0.50"),
        (wording.parameters(8_030_261_248), "8.0B"),
        (wording.parameters(209_920), "209.9k"),
        (wording.parameters(999_999_999), "1.0B"),
        (wording.parameters(None), "—"),
        (wording.memory(16_060_522_496), "16.1 GB"),
        (wording.memory(999), "999 B"),
        (wording.memory(0), "0 B"),
        (wording.rank_range(3, 9), "3–9"),
        (wording.rank_range(1, 1), "1"),
        (wording.count_of(1, "attempt"), "1 attempt"),
        (wording.count_of(1_200, "model"), "1,200 models"),
        (wording.listed(["a", "b", "c"]), "a, b and c"),
        (wording.moment("2026-11-22T09:14:00Z"), "2026-11-22 09:14 UTC"),
    ],
)
def test_numbers_are_written_one_way(written, expected):
    assert written == expected
