"""From the names in a recipe to opened, pinned parents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bot.checkpoint.folder_source import FolderSource, readable
from bot.checkpoint.lora_source import LoraSource
from bot.checkpoint.source import Source
from bot.checkpoint.unhashed_folder import UnhashedFolder
from bot.errors import HubError, Problem, RecipeError
from bot.events import Event, Report, silent
from bot.lineage.resolved_parent import CARD_FILE, FRONT_MATTER_LIMIT, ResolvedParent, read_card
from bot.plan.parent_model import Parent
from bot.recipe.lock import LockedFile
from bot.recipe.recipe import ModelRef, Recipe

HubResolver = Callable[[ModelRef, Report], ResolvedParent]
"""Opens a model of the Hub at a pinned commit; raises a HubError that says what to do."""

ADAPTER_FILE = "adapter_model.safetensors"
PIN_SEPARATOR = "+"
"""Between the pins of a model and of its adapter."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """The parents of a recipe, in order of first mention; keys are unique short names."""

    origins: Mapping[str, ResolvedParent]

    def parents(self) -> Mapping[ModelRef, Parent]:
        """The parents as planning takes them."""
        return {
            origin.ref: Parent(key=key, ref=origin.ref, source=origin.source)
            for key, origin in self.origins.items()
        }

    def key(self, ref: ModelRef) -> str:
        """The key of a reference."""
        return next(key for key, origin in self.origins.items() if origin.ref == ref)

    def sources(self) -> Mapping[str, Source]:
        """The opened checkpoints by key."""
        return {key: origin.source for key, origin in self.origins.items()}


def no_hub(ref: ModelRef, report: Report) -> ResolvedParent:
    """Refuse Hub models; what a run without network hands in."""
    del report
    hint = f"download it and write its folder as ./{ref.name} in the recipe"
    raise HubError(f"{ref} is on the Hub, and this run may not use the network", hint=hint)


def resolve(recipe: Recipe, report: Report, hub: HubResolver = no_hub) -> Family:
    """Open every parent of a recipe and pin it by its contents.

    Local paths are relative to the recipe's folder. Every file of a local parent is hashed, so
    the pin holds whatever happens to the folder later.

    Raises:
        RecipeError: models that are not there, all of them at once, at their line.
        CheckpointError: a model that is there but broken.
        HubError: the Hub refused or is out of reach.
    """
    folder = Path(recipe.file).parent
    refs = recipe.references()
    require_local(recipe, folder)
    report(Event("resolve", "start", "models", 0, len(refs)))
    origins: dict[str, ResolvedParent] = {}
    for count, ref in enumerate(refs, start=1):
        opened = open_local if ref.is_local else open_on_hub
        origins[_unique(ref.name, origins)] = opened(ref, folder, hub, report)
        report(Event("resolve", "advance", "models", count, len(refs), str(ref)))
    report(Event("resolve", "end", "models", len(refs), len(refs), f"{len(refs)} models pinned"))
    return Family(origins=origins)


def open_unpinned(recipe: Recipe, hub: HubResolver = no_hub) -> Family:
    """Open parents without hashing local ones: for plans, and merges that leave no lock.

    Raises:
        RecipeError: models that are not there.
        HubError: the Hub refused or is out of reach.
    """
    folder = Path(recipe.file).parent
    require_local(recipe, folder)
    origins: dict[str, ResolvedParent] = {}
    for ref in recipe.references():
        if not ref.is_local:
            origins[_unique(ref.name, origins)] = open_on_hub(ref, folder, hub, silent)
            continue
        base = UnhashedFolder(local_path(ref, folder))
        source: Source = base
        if ref.lora is not None:
            source = LoraSource(base, _adapter(ref.lora, folder, hub, silent)[0], str(ref.lora))
        origins[_unique(ref.name, origins)] = ResolvedParent(
            ref=ref, kind="local", pin=source.id, digest=source.id, source=source, folder=base.path
        )
    return Family(origins=origins)


def open_on_hub(ref: ModelRef, folder: Path, hub: HubResolver, report: Report) -> ResolvedParent:
    """Open a model on the Hub, with its adapter where it has one; the pin names both.

    Raises:
        HubError: the Hub refused or is out of reach.
        CheckpointError: what is there is no usable checkpoint.
    """
    origin = hub(replace(ref, lora=None), report)
    if ref.lora is None:
        return origin
    adapter, pin = _adapter(ref.lora, folder, hub, report)
    source = LoraSource(origin.source, adapter, str(ref.lora))
    pin = f"{origin.pin}{PIN_SEPARATOR}{pin}"
    return replace(origin, ref=ref, pin=pin, digest=source.id, source=source, folder=None)


def at_pins(hub: HubResolver, pins: Mapping[ModelRef, str]) -> HubResolver:
    """A resolver that opens models on the Hub at the commits of a lock, wherever branches are."""
    commits: dict[ModelRef, str] = {}
    for ref, pin in pins.items():
        base, _, adapter = pin.partition(PIN_SEPARATOR)
        commits[replace(ref, lora=None)] = base
        if ref.lora is not None and adapter:
            commits[ref.lora] = adapter

    def pinned(ref: ModelRef, report: Report) -> ResolvedParent:
        commit = commits.get(ref, ref.revision)
        return replace(hub(replace(ref, revision=commit), report), ref=ref)

    return pinned


def open_local(
    ref: ModelRef, folder: Path, hub: HubResolver = no_hub, report: Report = silent
) -> ResolvedParent:
    """Open a model in a local folder and pin it by its contents.

    Raises:
        CheckpointError: the folder is no usable checkpoint.
    """
    path = local_path(ref, folder)
    base = FolderSource(path)
    source: Source = base
    if ref.lora is not None:
        source = LoraSource(base, _adapter(ref.lora, folder, hub, report)[0], str(ref.lora))
    card = path / CARD_FILE
    return ResolvedParent(
        ref=ref,
        kind="local",
        pin=source.id,
        digest=source.id,
        source=source,
        folder=path if ref.lora is None else None,
        files=_files(path),
        card=read_card(_beginning(card), str(card)),
    )


def local_path(ref: ModelRef, folder: Path) -> Path:
    """Where a local reference points, seen from the recipe's folder."""
    path = Path(ref.path)
    with suppress(RuntimeError):  # ``~name`` of nobody here: a folder's name, as in a shell
        path = path.expanduser()
    return path if path.is_absolute() else folder / path


def _beginning(card: Path) -> str:
    """As much of a model card as its front matter may take; nothing where there is none."""
    if not card.is_file():
        return ""
    with readable(card), card.open("rb") as stream:
        return stream.read(FRONT_MATTER_LIMIT).decode("utf-8", "replace")


def _adapter(
    lora: ModelRef, folder: Path, hub: HubResolver, report: Report
) -> tuple[Path | Source, str]:
    """An adapter, as a folder or opened, and its pin."""
    if lora.is_local:
        path = local_path(lora, folder)
        return path, FolderSource(path, ADAPTER_FILE).id
    origin = hub(lora, report)
    return origin.folder or origin.source, origin.pin


def require_local(recipe: Recipe, folder: Path) -> None:
    """Raise RecipeError for every local parent that is not a folder, at its line."""
    problems = []
    for ref in recipe.references():
        path = local_path(ref, folder)
        if ref.is_local and not path.is_dir():
            line = _line_of(recipe.text, ref.path)
            hint = f"paths are relative to the recipe's folder, {folder.resolve()}"
            message = f"there is no folder {ref.path}"
            if path.exists():
                message = f"{ref.path} is a file; a model is a folder"
            problems.append(Problem(message=message, file=recipe.file, line=line, hint=hint))
    if problems:
        raise RecipeError(problems)


def _line_of(text: str, word: str) -> int | None:
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if word in line), None)


def _unique(name: str, taken: Mapping[str, object]) -> str:
    if name not in taken:
        return name
    return next(f"{name}-{n}" for n in range(2, 1000) if f"{name}-{n}" not in taken)


def _files(folder: Path) -> Mapping[str, LockedFile]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            found[path.name] = LockedFile(sha256=file_sha256(path), size=path.stat().st_size)
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a whole file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
