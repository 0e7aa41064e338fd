"""What holds for every test: the Hub client's environment, and how workers share the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Set before any test imports the Hub client, which reads its environment only once.
os.environ |= {
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}

GROUPS = {
    "space/browser/test_chat.py": "space chat",
    "space/browser/test_blind_vote.py": "space chat",
    "space/browser/test_real_models.py": "space chat",
    "space/browser": "space pages",
}
"""Files or folders whose tests share costly fixtures; any other file is a group of its own."""

LONG = ("heavy", "browser")
"""Marks of groups that workers take first, so that no long one is left at the end."""

HERE = Path(__file__).parent


def group_of(item: pytest.Item) -> str:
    """The group whose tests all run in one worker."""
    place = item.path.relative_to(HERE)
    for path in (place, *place.parents):
        if (group := GROUPS.get(path.as_posix())) is not None:
            return group
    return place.as_posix()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test with its group, and put the groups with long tests first."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    groups = {item.nodeid: group_of(item) for item in items}
    first = {
        groups[item.nodeid] for item in items if any(item.get_closest_marker(mark) for mark in LONG)
    }
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item.nodeid]))
    items.sort(key=lambda item: groups[item.nodeid] not in first)
