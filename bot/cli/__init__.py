"""The command line: thin, one file per command, and one place that catches and prints."""

from bot.cli.app import main

__all__ = ["main"]
