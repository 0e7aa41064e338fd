"""The scripts of the skills family import each other as plain files; so do its tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FAMILY_FOLDER = Path(__file__).parents[2] / "recipes" / "skills"
sys.path.insert(0, str(FAMILY_FOLDER))


@pytest.fixture(scope="session")
def family_folder() -> Path:
    return FAMILY_FOLDER
