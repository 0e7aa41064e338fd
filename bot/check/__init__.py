"""The checks between a merge and its evaluation; importing this package loads no torch."""

from bot.check.checks import CheckReport, check_model
from leaderboard.record_provenance import Check

__all__ = ["Check", "CheckReport", "check_model"]
