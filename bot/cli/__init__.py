"""The command line: one file per command; errors are caught and printed in one place."""

from bot.cli.app import main

__all__ = ["main"]
