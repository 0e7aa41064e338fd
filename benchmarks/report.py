"""Rows survive interruption: each is kept in ``results.json`` as it comes, and the page redrawn."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from bot.pipeline.machine_info import machine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Row = TypeVar("Row", bound=DataclassInstance)

BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"
PACKAGES = ("mergebot", "mergekit", "torch", "numpy", "numba")
Draw = Callable[["Report"], Iterator[str]]


@dataclass(frozen=True)
class Report:
    """The folder of the page and its rows, and what draws the page from them.

    With ``missing`` only rows that are not there yet are wanted.
    """

    home: Path
    draw: Draw
    missing: bool = False

    def add(self, section: str, name: str, row: DataclassInstance) -> None:
        """Keep a row in place of an earlier one of that name, and redraw the page."""
        kept = self.kept()
        entry = {"where": self.where, "row": asdict(row)}
        kept.setdefault(section, {})[name] = entry
        replace(self.home / "results.json", json.dumps(kept, indent=1) + "\n")
        self.redraw()

    def wants(self, section: str, name: str) -> bool:
        """Whether a row is to be measured."""
        return not (self.missing and name in self.kept().get(section, {}))

    def rows(self, section: str, kind: type[Row]) -> dict[str, Row]:
        """The rows of a section by name, in the order they were first measured."""
        read = TypeAdapter(kind).validate_python
        return {name: read(entry["row"]) for name, entry in self.kept().get(section, {}).items()}

    def places(self, section: str) -> list[str]:
        """Days, machines and versions the rows of a section were measured with."""
        return sorted({entry["where"] for entry in self.kept().get(section, {}).values()})

    def kept(self) -> dict[str, dict[str, Any]]:
        """Every row there is, by section and name."""
        path = self.home / "results.json"
        found: dict[str, dict[str, Any]] = (
            json.loads(path.read_text("utf-8")) if path.exists() else {}
        )
        return found

    def redraw(self) -> None:
        """Replace what stands between the markers of the page; the rest stays as it is."""
        page = self.home / "README.md"
        text = page.read_text("utf-8") if page.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        drawn = "\n".join(self.draw(self)).strip("\n")
        replace(page, f"{head}{BEGIN}\n\n{drawn}\n\n{END}{tail}")

    @cached_property
    def where(self) -> str:
        """Today, this machine, these versions."""
        facts = machine()
        cores = len(os.sched_getaffinity(0))
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
        system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        return f"{time.strftime('%Y-%m-%d')}, {facts['cpu']}, {cores} cores, {system}; {versions}"


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)
