"""The shown cause of a crash is the exception, whatever was printed after it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bot.isolation import crash_cause


def errors_of(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return done.stderr.decode()


def test_a_progress_bar_is_not_the_cause() -> None:
    """tqdm closes its bar after the traceback was printed."""
    code = (
        "from tqdm import tqdm\n"
        "bar = tqdm(total=80, desc='Running generate_until requests')\n"
        "raise AssertionError('the real reason')\n"
    )
    assert crash_cause(errors_of(code)) == "AssertionError: the real reason"


def test_the_last_of_several_exceptions_is_the_cause() -> None:
    code = (
        "try:\n    {}['first']\nexcept KeyError as error:\n"
        "    raise ValueError('second\\nwith more') from error"
    )
    assert crash_cause(errors_of(code)) == "ValueError: second\nwith more"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "it wrote nothing"),
        ("loading\nterminate called: abort\n", "terminate called: abort"),
        ("terminate called: abort\n\r 50%|#####     | 40/80 [00:01<00:01, 40.0it/s]\n",
         "terminate called: abort"),
        ('Traceback (most recent call last):\n  File "x", line 1\nKeyboardInterrupt\n',
         "KeyboardInterrupt"),
    ],
)  # fmt: skip
def test_other_endings(text: str, cause: str) -> None:
    assert crash_cause(text) == cause
