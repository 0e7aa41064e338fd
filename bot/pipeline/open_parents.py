"""The one opener of parents: local folders, models on the Hub, and either with an adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.folder_source import SINGLE_FILE, FolderSource, readable
from bot.checkpoint.lora_source import LoraSource
from bot.checkpoint.source import Source
from bot.checkpoint.unhashed_folder import UnhashedFolder
from bot.errors import HubError
from bot.events import Event, Report, silent
from bot.lineage.resolved_parent import CARD_FILE, FRONT_MATTER_LIMIT, ResolvedParent, read_card
from bot.pipeline.local_paths import local_path, require_local
from bot.plan.parent_model import Parent
from bot.recipe.recipe import ModelRef, Recipe
from bot.recipe.recipe_lock import LockedCard, LockedFile

HubResolver = Callable[[ModelRef, Report], ResolvedParent]
"""Opens a model of the Hub at a pinned commit; raises a HubError that says what to do."""

ADAPTER_FILE = "adapter_model.safetensors"
PIN_SEPARATOR = "+"
"""Between the pins of a model and of its adapter."""


@dataclass(frozen=True, kw_only=True)
class ParentFolders:
    """Where the files of a parent lie: its own and its adapter's; None for what is not on disk."""

    model: Path | None = None
    adapter: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ParentSet:
    """The opened parents of a recipe by key, in order of first mention; keys are short names."""

    parents: Mapping[str, ResolvedParent]
    folders: Mapping[str, ParentFolders] = field(default_factory=dict)

    def for_planning(self) -> Mapping[ModelRef, Parent]:
        """The parents as planning takes them."""
        return {
            parent.ref: Parent(key=key, ref=parent.ref, source=parent.source)
            for key, parent in self.parents.items()
        }

    def pins(self) -> Mapping[ModelRef, str]:
        """The commit or content digest of every reference."""
        return {parent.ref: parent.pin for parent in self.parents.values()}


def no_hub(ref: ModelRef, report: Report) -> ResolvedParent:
    """Refuse models on the Hub; what a run without network hands in.

    Raises:
        HubError: always.
    """
    del report
    hint = f"download it and write its folder as ./{ref.name} in the recipe"
    raise HubError(f"{ref} is on the Hub, and this run may not use the network", hint=hint)


def open_parents(
    recipe: Recipe,
    report: Report = silent,
    hub: HubResolver = no_hub,
    *,
    pinned: bool = True,
    digests: FileDigests | None = None,
) -> ParentSet:
    """Open every parent of a recipe.

    Local paths are relative to the recipe's folder.

    Args:
        recipe: the recipe.
        report: progress, one step per parent.
        hub: opens models on the Hub.
        pinned: hash every file of a local parent, so that the pin holds whatever happens to the
            folder later. Otherwise a local parent is known by the sizes and times of its files:
            enough for a plan, and for a merge that leaves no lock.
        digests: digests of files that were hashed before.

    Raises:
        RecipeError: models that are not there, all of them at once, at their line.
        CheckpointError: a model that is there but broken.
        HubError: the Hub refused or is out of reach.
    """
    refs, folder = recipe.references(), Path(recipe.file).parent
    require_local(recipe, folder)
    opener = _Opener(folder, hub, report if pinned else silent, pinned, digests or FileDigests())
    parents: dict[str, ResolvedParent] = {}
    folders: dict[str, ParentFolders] = {}
    opener.report(Event("resolve", "start", "models", 0, len(refs)))
    for count, ref in enumerate(refs, start=1):
        key = _unique(ref.name, parents)
        parents[key], folders[key] = opener.open(ref)
        opener.report(Event("resolve", "advance", "models", count, len(refs), str(ref)))
    end = f"{len(refs)} models pinned"
    opener.report(Event("resolve", "end", "models", len(refs), len(refs), end))
    return ParentSet(parents=parents, folders=folders)


@dataclass(frozen=True)
class _Opener:
    folder: Path
    hub: HubResolver
    report: Report
    pinned: bool
    digests: FileDigests

    def open(self, ref: ModelRef) -> tuple[ResolvedParent, ParentFolders]:
        """A parent and where its files lie; the pin of one with an adapter names both."""
        base = self._plain(replace(ref, lora=None))
        if ref.lora is None:
            return base, ParentFolders(model=base.folder)
        adapter = self._adapter(ref.lora)
        source = LoraSource(base.source, adapter.folder or adapter.source, str(ref.lora))
        pin = source.id if ref.is_local else f"{base.pin}{PIN_SEPARATOR}{adapter.pin}"
        adapted = replace(base, ref=ref, pin=pin, digest=source.id, source=source, folder=None)
        return adapted, ParentFolders(model=base.folder, adapter=adapter.folder)

    def _plain(self, ref: ModelRef) -> ResolvedParent:
        if not ref.is_local:
            return self.hub(ref, self.report)
        path = local_path(ref, self.folder)
        if not self.pinned:
            return _local(ref, UnhashedFolder(path))
        source = FolderSource(path, digests=self.digests)
        sums = source.file_sha256s().items()
        return replace(
            _local(ref, source),
            files={name: LockedFile(sha256=sha256, size=size) for name, (sha256, size) in sums},
            card=local_card(path),
        )

    def _adapter(self, ref: ModelRef) -> ResolvedParent:
        if not ref.is_local:
            return self.hub(ref, self.report)
        path = local_path(ref, self.folder)
        return _local(ref, FolderSource(path, ADAPTER_FILE, digests=self.digests))


def _local(ref: ModelRef, source: FolderSource) -> ResolvedParent:
    return ResolvedParent(
        ref=ref, kind="local", pin=source.id, digest=source.id, source=source, folder=source.path
    )


def open_folders(ref: ModelRef, folders: ParentFolders, digests: FileDigests) -> Source | None:
    """The source of a parent that was pinned earlier, from the folders its files were in then.

    Returns:
        None where a folder is missing, or was never on disk.

    Raises:
        CheckpointError: a folder is there but is no usable checkpoint any more.
    """
    lora = ref.lora
    needed = [folders.model] if lora is None else [folders.model, folders.adapter]
    if any(folder is None or not folder.is_dir() for folder in needed):
        return None
    assert folders.model is not None  # noqa: S101 - it is among those needed
    base = FolderSource(folders.model, _weights_of(folders.model), digests=digests)
    if lora is None:
        return base
    assert folders.adapter is not None  # noqa: S101 - it is among those needed
    return LoraSource(base, folders.adapter, str(lora))


def _weights_of(folder: Path) -> str:
    """An adapter that is a parent of its own has no other weights."""
    has_model = (folder / SINGLE_FILE).is_file() or any(folder.glob("*.index.json"))
    return ADAPTER_FILE if (folder / ADAPTER_FILE).is_file() and not has_model else SINGLE_FILE


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


def local_card(folder: Path) -> LockedCard:
    """What the card of a local model declares.

    Raises:
        CheckpointError: the card cannot be read.
    """
    card = folder / CARD_FILE
    return read_card(_beginning(card), str(card))


def _beginning(card: Path) -> str:
    """As much of a model card as its front matter may take; nothing where there is none."""
    if not card.is_file():
        return ""
    with readable(card), card.open("rb") as stream:
        return stream.read(FRONT_MATTER_LIMIT).decode("utf-8", "replace")


def _unique(name: str, taken: Mapping[str, object]) -> str:
    if name not in taken:
        return name
    return next(f"{name}-{n}" for n in range(2, 1000) if f"{name}-{n}" not in taken)
