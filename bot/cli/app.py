"""The root command ``mergebot``: loads subcommands on demand and turns every error into an exit
code.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from types import FrameType
from typing import NamedTuple

import click

from bot import __version__
from bot.cli.error_report import explain
from bot.cli.output import Output
from bot.errors import InterruptedRunError, MergebotError
from bot.gc_pause import uncollected
from leaderboard.board_errors import BoardError


class CommandEntry(NamedTuple):
    """A command's module and attribute, and its line in the list of commands."""

    target: str
    summary: str


# A command's module is imported only when the command is used, so that help answers at once.
COMMANDS = {
    "run": CommandEntry("bot.cli.run:run", "Merge, check, evaluate, compare and record recipes."),
    "merge": CommandEntry("bot.cli.merge:merge", "Merge a recipe into a folder, nothing else."),
    "validate": CommandEntry("bot.cli.validate:validate", "Check recipes without reading weights."),
    "plan": CommandEntry("bot.cli.plan:plan", "Show what a merge will do and cost."),
    "evaluate": CommandEntry("bot.cli.evaluate:evaluate", "Score a model on a suite."),
    "compare": CommandEntry("bot.cli.compare:compare", "Test a model against others, paired."),
    "card": CommandEntry("bot.cli.card:card", "Print the model card of a run."),
    "publish": CommandEntry(
        "bot.cli.publish:publish", "Publish a run on the Hub: model, card, results row."
    ),
    "verify": CommandEntry("bot.cli.verify:verify", "Re-make a merge and compare every tensor."),
    "leaderboard": CommandEntry("bot.cli.leaderboard:leaderboard", "Show and export the board."),
    "hub": CommandEntry("bot.cli.hub:hub", "Maintain published merges and the cache."),
    "space": CommandEntry("bot.cli.space:space", "Open the leaderboard and chat in the browser."),
    "methods": CommandEntry("bot.cli.methods:methods", "List or explain the merge methods."),
    "suites": CommandEntry("bot.cli.suites:suites", "List or explain the suites."),
    "stage": CommandEntry("bot.cli.stage:stage", "Run single stages of a run (plumbing)."),
    "demo": CommandEntry("bot.cli.demo:demo", "Run a real recipe end to end, offline."),
    "doctor": CommandEntry("bot.cli.doctor:doctor", "Say whether this machine is ready."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for and suggests a near name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order in which a recipe needs them."""
        del ctx
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            near = get_close_matches(cmd_name, COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"There is no command '{cmd_name}'.{hint}")
        module, attribute = entry.target.split(":")
        with uncollected():
            command = getattr(importlib.import_module(module), attribute)
            gc.freeze()  # modules stay: later garbage collections skip them
        assert isinstance(command, click.Command)  # noqa: S101 - our own table
        return command


EPILOG = """\b
Examples:
  mergebot demo
  mergebot validate recipes/skills/*.yaml
  mergebot run recipes/skills/task-arithmetic-four.yaml
  mergebot leaderboard show

Every command takes --json. Results go to stdout, progress and notes to stderr.
Each class of failure has an exit code of its own; docs/cli.md lists them."""


@click.command(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, prog_name="mergebot", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn a merge recipe into a model people can trust.

    A recipe (mergekit's YAML) is checked, merged, evaluated together with its parents, compared
    with a paired test, documented and ranked on a board.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of what happened."""
    # Tensors are merged in parallel: BLAS threads would compete with them and take time to start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = list(sys.argv[1:] if argv is None else argv)
    out = Output.from_flags(arguments)
    # SIGTERM (a service manager's stop) acts like Ctrl-C: children end, finished work is kept.
    signal.signal(signal.SIGTERM, _stop)
    code = run_command(arguments, out)
    # A garbage collection at exit would take longer than a small plan does.
    gc.freeze()
    sys.exit(code)


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def run_command(arguments: Sequence[str], out: Output) -> int:
    """Run one command line; every failure becomes a message and an exit code."""
    try:
        code = cli.main(args=list(arguments), prog_name="mergebot", standalone_mode=False, obj=out)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as shown:
        out.print_error(shown.format_message())
        return 2
    except click.ClickException as wrong:
        return out.fail(explain(wrong))
    except (click.Abort, KeyboardInterrupt):
        return out.fail(
            explain(InterruptedRunError("stopped", hint="run the same command again to go on"))
        )
    except (MergebotError, BoardError) as failure:
        return out.fail(explain(failure))
    except BrokenPipeError:
        return 0
    except Exception as surprise:  # noqa: BLE001 - the edge of the program: nothing may escape
        return out.fail(explain(surprise))
    finally:
        out.close()
