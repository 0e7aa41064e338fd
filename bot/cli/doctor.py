"""``mergebot doctor``: is this machine ready, and what would make it so."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click

from bot.cli.hub_connection import the_hub
from bot.cli.options import UserPath
from bot.cli.output import Output, output_options
from bot.errors import HubError
from bot.format_units import format_bytes
from bot.isolation import probe
from bot.machine_limits import usable_cpus

EXTRAS = {
    "eval": ("torch", "transformers", "lm_eval"),
    "space": ("gradio",),
    "search": ("cmaes", "pymoo"),
    "scale": ("ray",),
}
LEAST_DISK = 5e9
LEAST_MEMORY = 2e9


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at; ``needed`` says whether mergebot works without it."""

    name: str
    good: bool
    detail: str
    needed: bool = False
    hint: str = ""


@click.command(
    epilog="""\b
Examples:
  mergebot doctor
  mergebot doctor --json
  mergebot doctor --live

\b
--live pushes a merge of one megabyte to a private repository of yours, reads
it back and deletes it. The token comes from HF_TOKEN or `hf auth login`.

\b
Exit codes: 0 ready, 2 usage, 11 the live test failed, 12 no access, 14
something needed is missing. See docs/cli.md."""
)
@click.option("--workspace", type=UserPath(), default=Path(), help="Where runs go.")
@click.option("--live", is_flag=True, help="Also go to the Hub and back.")
@output_options
@click.pass_obj
def doctor(out: Output, workspace: Path, live: bool) -> int:
    """Check Python, disk, memory, GPU, isolation, extras and tokens."""
    findings = list(examine(workspace))
    if live:
        from bot.cli.doctor_live import examine_live

        steps = list(examine_live(the_hub()))
        findings += [
            Finding(name=f"hub: {one.name}", good=one.good, detail=one.detail, needed=True)
            for one in steps
        ]
        if not all(one.good for one in steps):
            show_findings(out, findings)
            return HubError.exit_code
    show_findings(out, findings)
    return 14 if any(finding.needed and not finding.good for finding in findings) else 0


def show_findings(out: Output, findings: Sequence[Finding]) -> None:
    """One line a finding, with the next step where it is not good."""
    rows = []
    for finding in findings:
        mark = "✔" if finding.good else "✕" if finding.needed else "·"
        rows.append([mark, finding.name, finding.detail, "" if finding.good else finding.hint])
    data = [vars(finding) for finding in findings]
    out.result(data, out.table(rows, ["", "", "", ""]))


def examine(workspace: Path) -> Iterator[Finding]:
    """Every finding, the most basic first."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        name="python", good=sys.version_info >= (3, 11), detail=version, needed=True,
        hint="install Python 3.11 or newer",
    )  # fmt: skip
    folder = next(
        path for path in (workspace.resolve(), *workspace.resolve().parents) if path.exists()
    )
    free = shutil.disk_usage(folder).free
    yield Finding(
        name="disk", good=free >= LEAST_DISK, detail=f"{format_bytes(free)} free in {folder}",
        hint="a merge needs its output's size twice while it is written",
    )  # fmt: skip
    yield Finding(
        name="writable", good=os.access(folder, os.W_OK), detail=str(folder), needed=True,
        hint="choose another folder with --workspace",
    )  # fmt: skip
    yield _memory()
    yield _gpu()
    yield _isolation()
    for extra, modules in EXTRAS.items():
        yield _extra(extra, modules)
    token = "HF_TOKEN" in os.environ or Path("~/.cache/huggingface/token").expanduser().exists()
    yield Finding(
        name="hub token", good=token, detail="found" if token else "none",
        hint="only needed to publish and for gated models: hf auth login",
    )  # fmt: skip


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return Finding(name="memory", good=True, detail="unknown")
    detail = f"{format_bytes(total)}, {usable_cpus()} usable CPUs"
    hint = "elementwise merges need about 1.2 GB whatever the model's size"
    return Finding(name="memory", good=total >= LEAST_MEMORY, detail=detail, hint=hint)


def _gpu() -> Finding:
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        return Finding(name="gpu", good=True, detail=done.stdout.strip().splitlines()[0])
    except (OSError, subprocess.SubprocessError, IndexError):
        hint = "not needed: merging is as fast as the disk on a CPU; evaluating is slower"
        return Finding(name="gpu", good=False, detail="none found", hint=hint)


def _isolation() -> Finding:
    """How processes that load untrusted models are cut off from this user and the network."""
    found = probe()
    detail = (
        f"untrusted models: network {found.network}, files {found.files}, user {found.user}, "
        f"limits {found.limits}"
    )
    hint = "; ".join(found.gaps) + ". Evaluate models that you trust, or use another machine"
    return Finding(name="isolation", good=not found.gaps, detail=detail, hint=hint)


def _extra(extra: str, modules: tuple[str, ...]) -> Finding:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        hint = f"pip install 'mergebot[{extra}]'"
        return Finding(name=f"extra {extra}", good=False, detail="not installed", hint=hint)
    versions = ", ".join(f"{module} {_version(module)}" for module in modules)
    return Finding(name=f"extra {extra}", good=True, detail=versions)


def _version(module: str) -> str:
    try:
        return metadata.version(module)
    except metadata.PackageNotFoundError:
        return "?"
