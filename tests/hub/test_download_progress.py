"""Progress of downloads: monotonic, whichever way the client counts."""

from __future__ import annotations

from types import SimpleNamespace

from huggingface_hub.utils._xet_progress_reporting import XetDownloadProgressReporter

from bot.hub.download_progress import telling


def test_a_resumed_transfer_goes_on_counting() -> None:
    told: list[int] = []
    bar = telling(told.append)
    with bar(initial=0, total=10, desc="x") as first:
        first.update(4)
    with bar(initial=3, total=10) as second:
        second.update(2)
        second.update(5)
    assert told == [4, 5, 10]


def test_the_client_s_two_bars_for_xet_count_once() -> None:
    told: list[int] = []
    with XetDownloadProgressReporter(
        reconstruction_desc="a", total=100, log_level=30, tqdm_class=telling(told.append)
    ) as reporter:
        for written, arrived in [(0, 40), (30, 80), (100, 90)]:
            reporter.update_progress(
                SimpleNamespace(
                    total_bytes_completed=written,
                    total_transfer_bytes_completed=arrived,
                    total_bytes_completion_rate=1.0,
                    total_transfer_bytes_completion_rate=1.0,
                    total_bytes=100,
                )
            )
    assert told == sorted(told)
    assert told[-1] == 100
