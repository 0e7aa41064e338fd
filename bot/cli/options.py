"""Options that several commands share: sizes, paths, workspace, engine, evaluation."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bot.machine_limits import usable_cpus

if TYPE_CHECKING:
    from bot.checkpoint.file_digests import FileDigests

F = TypeVar("F", bound=Callable[..., Any])

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
DEFAULT_WORKSPACE = Path("workspace")


class ByteSize(click.ParamType[int]):
    """``5GB``, ``500M``, ``1000000``: decimal units, as file sizes are given."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a size in bytes."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)i?B?\s*", str(value), re.IGNORECASE)
        try:
            size = int(float(match.group(1)) * UNITS[match.group(2).upper()]) if match else 0
        except ValueError:
            size = 0
        if size <= 0:
            self.fail(f"{value!r} is not a size; write 5GB or 500MB", param, ctx)
        return size


class UserPath(click.Path):
    """A path; ``~`` is the user's home also where the shell leaves it: ``--workspace=~/runs``."""

    def __init__(self, *, folder: bool = False, exists: bool = False) -> None:
        super().__init__(path_type=Path, file_okay=not folder, exists=exists)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Read a path; the name of an unknown user stays as it is."""
        return super().convert(os.path.expanduser(value), param, ctx)  # noqa: PTH111


def workspace_option(command: F) -> F:
    """Where results are kept."""
    return click.option(
        "--workspace",
        type=UserPath(folder=True),
        default=DEFAULT_WORKSPACE,
        show_default=True,
        help="Folder for merges, scores and the board.",
    )(command)


def known_digests(model: Path | None = None, *, rehash: bool) -> FileDigests:
    """Digests of files that were hashed before, for commands without a workspace of their own.

    Those of the workspace that ``model`` lies in are used, else those of the workspace in the
    folder one is in, else none.
    """
    from bot.checkpoint.file_digests import FileDigests
    from bot.pipeline.workspace import Workspace

    around = [] if model is None else [Workspace(place) for place in model.resolve().parents]
    for workspace in (*around[:3], Workspace(DEFAULT_WORKSPACE)):
        if workspace.is_marked:
            workspace.prepare()
            return workspace.digests(rehash=rehash)
    return FileDigests(rehash=rehash)


rehash_option = click.option(
    "--rehash",
    is_flag=True,
    help="Hash local files again, even if their size and times did not change.",
)


threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=usable_cpus,
    show_default="one per usable CPU",
    help="Threads that compute at once.",
)
memory_option = click.option(
    "--memory",
    type=ByteSize(),
    show_default="3/4 of what is free",
    help="Most memory that merging may use.",
)


def engine_options(command: F) -> F:
    """How the engine runs; the result's bytes do not depend on it."""
    for option in reversed(
        [
            click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1."),
            threads_option,
            memory_option,
            click.option(
                "--out-shard-size",
                type=ByteSize(),
                default="5GB",
                show_default=True,
                help="Largest output file.",
            ),
        ]
    ):
        command = option(command)
    return command


def evaluation_options(command: F) -> F:
    """Suites and evaluation settings, for commands that take model folders."""
    for option in reversed(
        [
            suite_option(required=True),
            batch_size_option,
            datasets_option,
            chat_template_option,
            click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1."),
        ]
    ):
        command = option(command)
    return command


def suite_option(*, required: bool = False) -> Callable[[F], F]:
    """Which suites to run."""
    return click.option(
        "--suite",
        "suite_names",
        multiple=True,
        required=required,
        help="Suite to evaluate on, or a file of your own; may be given several times.",
    )


batch_size_option = click.option(
    "--batch-size", type=click.IntRange(1), help="Instead of the suite's own."
)
chat_template_option = click.option(
    "--chat-template",
    metavar="own|none|NAME|FILE.jinja",
    help="Put prompts into each model's own chat template, into none, or into one for all.",
)
datasets_option = click.option(
    "--datasets",
    type=UserPath(folder=True, exists=True),
    help="Frozen copies of the suites' datasets; nothing is fetched.",
)
