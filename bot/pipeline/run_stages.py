"""Runs stages: one, several in a row, or several in a forked child."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from bot.errors import CheckFailedError, EnvironmentMissingError, NonFiniteError, UsageError
from bot.pipeline.file_lock import exclusive_lock
from bot.pipeline.merge_stages import CheckStage, MergeStage, PlanStage
from bot.pipeline.preflight import PreflightStage
from bot.pipeline.record_stages import CardStage, PublishStage, RecordStage, record_failure
from bot.pipeline.resolve_stage import ResolveStage
from bot.pipeline.run_folder import RunFolder, StageTools
from bot.pipeline.score_stages import CompareStage, EvaluateStage
from bot.pipeline.stage import Stage
from bot.recipe.problems import nearest
from bot.redaction import SECRET_VARIABLES

STAGES: tuple[Stage, ...] = (
    ResolveStage(),
    PlanStage(),
    PreflightStage(),
    MergeStage(),
    CheckStage(),
    EvaluateStage(),
    CompareStage(),
    RecordStage(),
    CardStage(),
    PublishStage(),
)
"""Every stage of a run, in order."""

FORKED_MODULES = (
    "numpy",
    "pydantic",
    "bot.check.checks",
    "bot.engine.kernels.method_dispatch",
    "bot.lineage.suite_result",
)
"""What stages import when they need it; publishing is done by a process of its own."""

NAMES = tuple(stage.name for stage in STAGES)


def stage_named(name: str) -> Stage:
    """The stage of this name. Raises UsageError where there is none."""
    found = next((stage for stage in STAGES if stage.name == name), None)
    if found is None:
        hint = nearest(name, NAMES, noun="stages")
        raise UsageError(f"there is no stage {name!r}", hint=hint)
    return found


def run_stages(run: RunFolder, names: Sequence[str] = NAMES) -> None:
    """Run stages of a run in this process, one after another; what is done already is kept.

    Args:
        run: the run.
        names: the stages, in order.

    Raises:
        UsageError: a stage that one of them needs is not done.
        MergebotError: a stage failed; what earlier stages made is kept. A merge that is not finite
            or fails its checks is on the board as a failed attempt.
    """
    for name in names:
        _run_stage(run, stage_named(name))


def _run_stage(run: RunFolder, stage: Stage) -> None:
    try:
        with exclusive_lock("run", _locked_path(run, stage), run.report):
            _require_needs(run, stage)
            if stage.is_done(run):
                run.log.write("done", stage=stage.name, item="was done already")
                return
            run.log.write("begin-stage", stage=stage.name)
            stage.execute(run)
            run.log.write("done", stage=stage.name)
    except BaseException as error:
        run.log.failure(stage.name, error)
        if isinstance(error, CheckFailedError | NonFiniteError):
            record_failure(run, stage.name, error)
        raise


def _locked_path(run: RunFolder, stage: Stage) -> Path:
    """Runs with one run key share their work, whatever their requests are."""
    return run.workspace.run_lock(run.run_key) if stage.needs else run.folder


def _require_needs(run: RunFolder, stage: Stage) -> None:
    for need in stage.needs:
        if not stage_named(need).is_done(run):
            raise UsageError(
                f"stage {stage.name} needs stage {need}, which is not done",
                hint=f"mergebot stage {run.folder} {need}",
            )


def import_for_stages() -> None:
    """Import what stages need, so that forked children do not each import it again.

    Nothing is started and nothing is loaded: no thread, no model, no connection. That holds in a
    process that was started with ``OPENBLAS_NUM_THREADS=1``: NumPy's BLAS starts its threads when
    it is imported.
    """
    for module in FORKED_MODULES:
        importlib.import_module(module)


def run_stages_forked(folder: Path, names: Sequence[str], tools: StageTools | None = None) -> int:
    """Run consecutive stages in a forked child of this process and wait for it.

    The bytes are those of ``run_stages``. A queue calls ``import_for_stages`` once and then this,
    run after run.

    Args:
        folder: the run's folder.
        names: the stages, in order.
        tools: as for `RunFolder`; what they hold must work in a child.

    Returns:
        0, the exit code of the error that the last stage ended with (it is in the run's log), 70
        for an error that nobody foresaw, or minus the number of the signal that killed the child.

    Raises:
        EnvironmentMissingError: this process holds a token or has threads, which a fork would
            copy or break.
    """
    _require_forkable()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _exit_code(folder, names, tools or StageTools())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _exit_code(folder: Path, names: Sequence[str], tools: StageTools) -> int:
    try:
        run_stages(RunFolder(folder, tools), names)
    except Exception as error:  # noqa: BLE001 - the edge of the child: the log has the rest
        return int(getattr(error, "exit_code", 70))
    return 0


def _require_forkable() -> None:
    held = sorted(name for name in SECRET_VARIABLES if os.environ.get(name))
    if held:
        raise EnvironmentMissingError(
            f"stages are not forked from a process that holds {', '.join(held)}",
            hint="start the process without tokens; publish in another process",
        )
    if _threads() > 1:
        raise EnvironmentMissingError(
            "stages are not forked from a process that has threads",
            hint="start the process with OPENBLAS_NUM_THREADS=1 and fork before any thread is "
            "started, or run the stages with `mergebot stage`",
        )


def _threads() -> int:
    """How many threads this process has, those of libraries included where the system says."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()
