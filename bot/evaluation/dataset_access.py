"""Datasets of a suite: pinned to commits, then fetched once, before any model is loaded.

::

    <store>/datasets/pins.json                                  the commit of each dataset
    <store>/datasets/<owner>__<name>/<commit>/<config>/         one parquet file per split

A suite's file names the commit of a dataset, or the file of pins beside it does. Where neither
does, the commit is looked up once, at the first use, and written into ``pins.json``; it is part of
the suite's digest, of the evaluation key and of the record. A process of its own fetches the data;
it has the network and a token, and loads no model. The process that evaluates has neither.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.checkpoint.disk import write_atomic
from bot.errors import EvaluationError
from bot.evaluation.suite_catalog import Suite, apply_pins
from bot.evaluation.suite_pins import read_pins, write_pins
from bot.evaluation.suite_schema import Dataset
from bot.events import Event, Report
from bot.isolation import IsolatedProcess, Limits, child_environment, crash_cause
from bot.redaction import redact
from leaderboard.versioned_json import JsonFormat

STAGE = "fetch"
LAUNCH: tuple[str, ...] = (sys.executable, "-m", "bot.evaluation.fetch_child")
COPY = JsonFormat(name="mergebot.dataset-copy", version=1, error=EvaluationError, remade=True)
COMPLETE = "complete.json"
_PINS = "pins.json"
_LIMITS = Limits(cpu_seconds=4 * 3600, file_bytes=64 << 30)
_SECONDS = 4 * 3600.0


@dataclass(frozen=True, kw_only=True)
class DatasetAccess:
    """What reading datasets from the Hub needs; the owner of the connection hands it in.

    Args:
        commit_of: the commit that a dataset's main branch points to.
        token: for gated datasets, None to read as nobody.
        offline: whether nothing may be looked up or fetched.
        environ: the environment that the fetching process's short one is chosen from.
        launch: the program that fetches and its first arguments; the request file follows.
    """

    commit_of: Callable[[str], str]
    token: str | None = field(default=None, repr=False)
    offline: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    launch: tuple[str, ...] = LAUNCH


def prepare_suite(suite: Suite, store: Path, access: DatasetAccess, report: Report) -> Suite:
    """The suite with every dataset pinned and its data on this disk.

    Args:
        suite: a suite; one over local files or frozen copies is returned as it is.
        store: the folder of evaluations.
        access: how the Hub is reached.
        report: called with each dataset that is fetched.

    Raises:
        EvaluationError: a dataset is not here and cannot be fetched.
        HubError: the Hub could not say what commit a dataset has.
    """
    suite = pin_suite(suite, store, access)
    folder = store.resolve() / "datasets"
    missing = [one for one in suite.fetched() if not copy_of(folder, one).is_dir()]
    if missing and access.offline:
        raise missing_data(suite, "the network is switched off")
    for dataset in missing:
        report(Event(STAGE, "start", item=f"dataset {dataset.repo} at {dataset.revision}"))
        _fetch(dataset, folder, access, suite)
        report(Event(STAGE, "end", item=f"dataset {dataset.repo}"))
    return replace(suite, copies=folder) if suite.fetched() else suite


def pin_suite(suite: Suite, store: Path, access: DatasetAccess, *, update: bool = False) -> Suite:
    """The suite with a commit for each dataset; new ones are written into the store's pins.

    Args:
        suite: the suite.
        store: the folder of evaluations.
        access: how the Hub is reached.
        update: look up the commits of datasets again that the suite's files do not pin.

    Raises:
        EvaluationError: a commit is not known here, and the network is switched off.
        HubError: the Hub could not say what commit a dataset has.
    """
    unpinned = {one.repo for one in suite.fetched() if one.revision is None}
    if not unpinned:
        return suite
    path = pins_of(store)
    known = dict(read_pins(path))
    unknown = sorted(unpinned if update else unpinned - set(known))
    if unknown and access.offline:
        raise missing_data(suite, "the network is switched off")
    if unknown:
        known |= {repo: access.commit_of(repo) for repo in unknown}
        write_pins(path, known)
    return apply_pins(suite, known)


def pins_of(store: Path) -> Path:
    """The file in a folder of evaluations that keeps the commits of datasets."""
    return store / "datasets" / _PINS


def require_data(suite: Suite) -> None:
    """Refuse a suite whose datasets were not fetched.

    Raises:
        EvaluationError: names each of them.
    """
    if suite.fetched() and suite.copies is None:
        raise missing_data(suite, "they were not fetched")


def copy_of(folder: Path, dataset: Dataset) -> Path:
    """Where the fetched copy of a pinned dataset is."""
    owner = dataset.repo.replace("/", "__")
    return folder / owner / (dataset.revision or "") / (dataset.config or "default")


def missing_data(suite: Suite, reason: str) -> EvaluationError:
    """An error that names every dataset a suite reads from the Hub."""
    wanted = "\n".join(
        f"  {dataset.repo}"
        + (f" ({dataset.config})" if dataset.config else "")
        + (", gated: needs an accepted license" if dataset.gated else "")
        for dataset in suite.fetched()
    )
    return EvaluationError(
        f"the datasets of suite {suite.name} are not on this machine: {reason}. "
        f"It reads from the Hub:\n{wanted}",
        hint="run once with a network, or give a folder of frozen copies with --datasets",
    )


def _fetch(dataset: Dataset, folder: Path, access: DatasetAccess, suite: Suite) -> None:
    place = copy_of(folder, dataset)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=place.parent) as private:
        home, fetched = Path(private) / "home", Path(private) / "fetched"
        home.mkdir()
        fetched.mkdir()
        request = {"repo": dataset.repo, "config": dataset.config, "revision": dataset.revision}
        (home / "request.json").write_text(json.dumps({**request, "folder": str(fetched)}))
        code, errors = _run(home, fetched, access)
        if code != 0:
            cause = redact(crash_cause(errors), secrets=[access.token] if access.token else [])
            raise missing_data(suite, f"{dataset.repo} could not be fetched ({cause})")
        _own(fetched)
        splits = sorted(file.name for file in fetched.glob("*.parquet"))
        content = COPY.dump({**request, "files": splits}).encode()
        write_atomic(fetched / COMPLETE, content)
        fetched.rename(place)


def _run(home: Path, fetched: Path, access: DatasetAccess) -> tuple[int, str]:
    """The exit code of the fetching process, and what it wrote to its error stream."""
    environment = child_environment(access.environ, home=home, offline=False)
    if access.token:
        environment["HF_TOKEN"] = access.token
    with (
        (home.parent / "errors").open("wb") as errors,
        IsolatedProcess(
            [*access.launch, str(home / "request.json")], home=home, environment=environment,
            writable=[fetched], limits=_LIMITS, network=True, stdout=subprocess.DEVNULL,
            stderr=errors,
        ) as child,
    ):  # fmt: skip
        code = child.popen.wait(_SECONDS)
    return code, (home.parent / "errors").read_text("utf-8", errors="replace")


def _own(folder: Path) -> None:
    """Take over what the fetching process wrote as another user, where it ran as one."""
    for path in (folder, *folder.iterdir()):
        if path.stat().st_uid != os.getuid():
            os.chown(path, os.getuid(), os.getgid())
        path.chmod(0o755 if path.is_dir() else 0o644)
