"""The checks between a merge and its evaluation: a broken model stops here, a bad one does not.

Hard checks say whether the folder holds a usable model. A soft check is a warning on the record: a
merge that repeats itself is evaluated and shown as worse.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bot.check.config_files import config_faults, config_or_nothing
from bot.check.finite_check import check_finite
from bot.check.template_check import check_known, check_rendering
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.untrusted_json import count_of
from bot.errors import CheckFailedError, CheckpointError
from bot.events import Event, Report, silent
from bot.isolation import Limits, address_space, create_gpu_devices, run_isolated
from leaderboard.record_provenance import Check

PROMPTS = ("The capital of France is", "Once upon a time", "1, 2, 3, 4,")
"""The prompts of the generation check when the caller has none that suit the model better."""

_ORDER = ("tokenizer", "loads", "no unused tensors", "vocabulary", "special tokens",
          "finite logits", "generation")  # fmt: skip
_BASE_CPU_SECONDS = 300
_SMALL_MODEL = 64 << 20
"""Below so many bytes one thread is faster than several."""
_CPU_SECONDS_PER_GIB = 120


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """The results of all checks, in the order they ran."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no hard check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The hard checks that failed."""
        return tuple(check for check in self.checks if check.hard and not check.passed)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The soft checks that failed."""
        return tuple(check for check in self.checks if not check.hard and not check.passed)

    def require(self) -> None:
        """Raise CheckFailedError naming every hard check that failed, if one did."""
        if self.failures:
            lines = [f"{check.name}: {check.detail}" for check in self.failures]
            raise CheckFailedError(
                "the merge is broken and is not evaluated:\n" + "\n".join(lines),
                hint="look at the parents and at the recipe's weights; `mergebot plan --diagnose`",
            )

    def to_json(self) -> str:
        """The content of ``checks.json``."""
        content = {"checks": [check.model_dump(mode="json") for check in self.checks]}
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> CheckReport:
        """Read what `to_json` wrote. Raises CheckFailedError for anything else."""
        try:
            entries = json.loads(text)["checks"]
            return cls(checks=tuple(Check.model_validate(entry) for entry in entries))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise CheckFailedError(
                f"this is not a report of checks: {error}", hint="check the model again"
            ) from error


def check_model(
    model: Path,
    parents: Sequence[Path] = (),
    *,
    prompts: Sequence[str] = PROMPTS,
    device: str = "cpu",
    report: Report = silent,
) -> CheckReport:
    """Run every check on a model folder. Never raises for what is in the folder.

    Args:
        model: the folder of a merge.
        parents: folders of its parents; only their tokenizers and templates are looked at.
        prompts: the prompts of the generation check; best are prompts like those of its suite.
        device: the device on which it is loaded.
        report: called with the bytes read.
    """
    report(Event("check", "start", "bytes", item=str(model)))
    try:
        source = FolderSource(model)
        checks = [check_finite(source, report)]
    except CheckpointError as error:
        checks = [Check(name="files", hard=True, passed=False, detail=error.message)]
        return CheckReport(checks=tuple(checks))
    checks += _loaded(model, parents, source, prompts, device)
    checks += [check_rendering(model), check_known(model, parents)]
    report(Event("check", "end", item=str(model)))
    return CheckReport(checks=tuple(checks))


def _loaded(
    model: Path,
    parents: Sequence[Path],
    source: FolderSource,
    prompts: Sequence[str],
    device: str,
) -> list[Check]:
    """The checks that need the model in memory; they run in an isolated process."""
    if fault := next(config_faults(model), None):
        return [Check(name="loads", hard=True, passed=False, detail=fault)]
    nbytes = sum(spec.nbytes for spec in source.tensors().values())
    cpu_seconds = _BASE_CPU_SECONDS + _CPU_SECONDS_PER_GIB * (nbytes >> 30)
    request = {
        "model": str(model.resolve()),
        "parents": [str(parent.resolve()) for parent in parents],
        "parent_rows": [rows for parent in parents if (rows := _vocab_size(parent))],
        "prompts": list(prompts),
        "device": device,
        "threads": 1 if nbytes < _SMALL_MODEL else None,
    }
    if device != "cpu":
        create_gpu_devices()
    limits = Limits(
        # CUDA maps far more addresses than it uses, so only a CPU process can be limited.
        memory_bytes=address_space(nbytes) if device == "cpu" else None,
        cpu_seconds=cpu_seconds,
    )
    ended = run_isolated(
        "bot.check.model_child", request, seconds=2.0 * cpu_seconds, limits=limits,
        readable=(model, *parents),
    )  # fmt: skip
    lines = [line for line in ended.output.splitlines() if line.startswith("{")]
    checks = [Check.model_validate_json(line) for line in lines]
    if ended.reason is not None:
        reached = {check.name for check in checks}
        name = next(name for name in _ORDER if name not in reached)
        detail = f"the process {ended.reason}"
        checks.append(Check(name=name, hard=True, passed=False, detail=detail))
    return checks


def _vocab_size(parent: Path) -> int | None:
    return count_of(config_or_nothing(parent, "config.json"), "vocab_size") or None
