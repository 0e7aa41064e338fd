"""The root command: loads each subcommand when it is called, and is the only catcher."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from difflib import get_close_matches

import click

from bot import __version__
from bot.cli.failure import explain
from bot.cli.output import Output
from bot.errors import InterruptedRunError, MergebotError
from leaderboard.errors import BoardError

# name -> "module:attribute"; a command's module is imported only when the command is used, so
# that ``mergebot --help`` answers at once.
COMMANDS = {
    "run": "bot.cli.run:run",
    "merge": "bot.cli.merge:merge",
    "validate": "bot.cli.validate:validate",
    "plan": "bot.cli.plan:plan",
    "evaluate": "bot.cli.evaluate:evaluate",
    "compare": "bot.cli.compare:compare",
    "card": "bot.cli.card:card",
    "verify": "bot.cli.verify:verify",
    "leaderboard": "bot.cli.leaderboard:leaderboard",
    "methods": "bot.cli.methods:methods",
    "suites": "bot.cli.suites:suites",
    "demo": "bot.cli.demo:demo",
    "doctor": "bot.cli.doctor:doctor",
}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for and suggests a near name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command in the order of a recipe's journey."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of that name."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            near = get_close_matches(cmd_name, COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"There is no command '{cmd_name}'.{hint}")
        module, attribute = target.split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - our own table
        return command


EPILOG = """\b
Examples:
  mergebot demo
  mergebot validate recipes/community/*.yaml
  mergebot run recipes/skills/arithmetic-four.yaml
  mergebot leaderboard show

Every command takes --json. Results go to stdout, progress and notes to stderr."""


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
    arguments = list(sys.argv[1:] if argv is None else argv)
    out = Output.from_flags(arguments)
    sys.exit(run_command(arguments, out))


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
