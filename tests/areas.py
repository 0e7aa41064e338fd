"""Print how long each area of the suite took: the folders under ``tests`` one by one."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest


class Areas:
    """Adds up the seconds of every phase of every test by the folder it stands in."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        parts = Path(report.nodeid.split("::")[0]).parts
        area = parts[1] if len(parts) > 2 else "tests"
        self.seconds[area] += report.duration
        self.counts[area] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("seconds per area")
        for area in sorted(self.seconds, key=lambda name: -self.seconds[name]):
            line = f"{self.seconds[area]:8.1f} s  {self.counts[area]:5d} tests  {area}"
            terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Areas())
