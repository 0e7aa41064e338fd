"""Carry the skills family inside the wheel, so that ``mergebot demo`` works outside a clone."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithFamily(build_py):
    """Copies ``recipes/skills`` to ``bot/shipped/skills``."""

    def run(self) -> None:
        """Build, then add the family."""
        super().run()
        if not self.editable_mode:
            shipped = Path(self.build_lib) / "bot/shipped/skills"
            shutil.copytree(ROOT / "recipes/skills", shipped, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithFamily})
