"""Re-make a merge from its lock and say whether the published one is what its lock claims."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bot.checkpoint.comparing_sink import ComparingSink
from bot.checkpoint.digest import tensor_digest
from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.folder_source import FolderSource
from bot.engine.engine_version import ENGINE_VERSION
from bot.engine.execute import execute
from bot.errors import MergebotError, VerificationError
from bot.events import Event, Report
from bot.methods.core.all_methods import catalogue
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.machine_info import host
from bot.pipeline.merge_facts import recipe_folder
from bot.pipeline.open_parents import HubResolver, ParentSet, at_pins, no_hub, open_parents
from bot.pipeline.verify_files import check_files
from bot.plan.open_sources import open_sources
from bot.plan.planner import make_plan
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.recipe_lock import LOCK_FILE, Lock, LockedResult, read_lock


class Answer(StrEnum):
    """What verification found."""

    IDENTICAL = "identical"
    ONE_ULP = "equal within one ulp (other class)"
    CARD_CHANGED = "identical, but its card was changed"
    DIFFERENT = "different"

    @property
    def exit_code(self) -> int:
        """0, 20, 21 and 15."""
        codes = {Answer.IDENTICAL: 0, Answer.ONE_ULP: 20, Answer.CARD_CHANGED: 21}
        return codes.get(self, VerificationError.exit_code)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The answer, with every reason for it in plain words.

    ``proved`` says what was shown to hold, ``unproved`` what was not or cannot be.
    """

    answer: Answer
    model_digest: str
    reasons: tuple[str, ...]
    proved: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()


def verify(
    model: Path,
    *,
    parents: Path | None = None,
    options: EngineOptions,
    report: Report,
    hub: HubResolver = no_hub,
    digests: FileDigests | None = None,
) -> Verification:
    """Check a model folder against its lock: its own bytes, its parents' bytes, and a new merge.

    Args:
        model: a folder with ``recipe.lock.json``.
        parents: folder that the recipe's local paths are relative to; by default the folder the
            recipe was run from, where this machine still has it.
        options: device and threads for the new merge.
        report: progress.
        hub: opens parents on the Hub at their locked commits.
        digests: digests of the parents' files that were hashed before.

    Raises:
        VerificationError: there is no finished lock, or a parent cannot be had.
    """
    lock = read_lock(model / LOCK_FILE)
    if lock.result is None:
        raise VerificationError(
            f"{model / LOCK_FILE} was written before its merge had ended",
            hint="run the recipe again",
        )
    existing = FolderSource(model)
    files = check_files(model, lock)
    reasons = [*_changed_output(existing, lock.result, report), *files.faults]
    opened = _open_at_pins(lock, model, parents, report, hub, digests)
    reasons += _changed_parents(lock, opened)
    nearly, proved = False, files.proved
    if not reasons:
        reasons, nearly = _remake(lock, opened, existing, options, report)
        if nearly or not reasons:
            how = "within one unit in the last place" if nearly else "byte for byte"
            made = f"{len(lock.result.tensors)} tensors come out of {len(lock.parents)} pinned "
            proved = (f"{made}parents {how}", *proved)
    if nearly:
        answer = Answer.ONE_ULP
    elif reasons:
        answer = Answer.DIFFERENT
    else:
        answer = Answer.CARD_CHANGED if files.card_changed else Answer.IDENTICAL
    if files.card_changed:
        reasons.append("its card is not the one that was published with it")
    return Verification(
        answer=answer,
        model_digest=existing.id,
        reasons=tuple(reasons),
        proved=proved,
        unproved=files.unproved,
    )


def _changed_output(existing: FolderSource, result: LockedResult, report: Report) -> list[str]:
    """Tensors of the model that are not what its lock says, and side files if only they differ."""
    report(Event("digest", "start", "tensors", 0, len(existing.tensors())))
    missing = sorted(result.tensors.keys() - existing.tensors().keys())
    found = [f"the model has no tensor {name}, its lock does" for name in missing]
    for count, (name, spec) in enumerate(existing.tensors().items(), start=1):
        if tensor_digest(existing, spec) != result.tensors.get(name):
            found.append(f"tensor {name} of the model is not what its lock says")
        report(Event("digest", "advance", "tensors", count, len(existing.tensors()), name))
    if not found and existing.id != result.model_digest:
        found.append("the model's config or tokenizer is not what its lock says")
    report(Event("digest", "end", item="the model's own bytes"))
    return found


def _open_at_pins(
    lock: Lock,
    model: Path,
    parents: Path | None,
    report: Report,
    hub: HubResolver,
    digests: FileDigests | None,
) -> ParentSet:
    folder = parents or recipe_folder(model) or model
    recipe = parse_recipe(lock.recipe, str(folder / lock.recipe_file))
    try:
        return open_parents(recipe, report, at_pins(hub, lock.pins()), digests=digests)
    except MergebotError as missing:
        wrong = "; ".join(problem.message for problem in missing.problems())
        raise VerificationError(
            f"cannot re-make the merge from {folder}: {wrong}",
            hint="say with --parents which folder the recipe's local paths are relative to",
        ) from missing


def _changed_parents(lock: Lock, parents: ParentSet) -> list[str]:
    found = []
    here = {parent.ref: parent for parent in parents.parents.values()}
    for parent in lock.parents:
        found_now = here[parent.ref]
        if found_now.pin != parent.pin:
            changed = [
                name
                for name, file in parent.files.items()
                if name not in found_now.files or found_now.files[name].sha256 != file.sha256
            ]
            names = f" ({', '.join(sorted(changed)[:5])})" if changed else ""
            found.append(f"parent {parent.ref} is not what the lock pins{names}")
    return found


def _remake(
    lock: Lock,
    parents: ParentSet,
    existing: FolderSource,
    options: EngineOptions,
    report: Report,
) -> tuple[list[str], bool]:
    """Merge again; the reasons it differs, and whether it is within one ulp on another class."""
    recipe = parse_recipe(lock.recipe, lock.recipe_file)
    plan = make_plan(recipe, parents.for_planning(), catalogue())
    sink = ComparingSink(existing)
    sources = open_sources(plan, parents.for_planning().values())
    execute(
        plan,
        sources,
        sink,
        device=options.device,
        threads=options.threads,
        memory=options.memory,
        report=report,
    )
    far = {name: d for name, d in sink.distances.items() if d is None or d > 1}
    if not sink.distances:
        return [], False
    here = host(options.device)
    other_class = (here.cpu, here.device) != (lock.host.cpu, lock.host.device)
    other_engine = lock.engine_version != ENGINE_VERSION
    count = len(sink.distances)
    if not far and (other_class or other_engine):
        return [f"{count} tensors differ by one unit in the last place"], True
    reasons = [f"tensor {name} comes out differently" for name in sorted(sink.distances)[:20]]
    if other_engine:
        reasons.append(f"made by engine {lock.engine_version}, this is {ENGINE_VERSION}")
    return reasons, False
