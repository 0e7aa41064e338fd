"""Run a command line in this process, with everything it printed."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from bot.cli.app import run_command
from bot.cli.output import Output


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: object) -> Ran:
    words = [str(argument) for argument in arguments]
    out, err = io.StringIO(), io.StringIO()
    code = run_command(words, Output.from_flags(words, stdout=out, stderr=err))
    return Ran(code, out.getvalue(), err.getvalue())
