"""The isolated process in which a live merge reads untrusted parents.

``python -m bot.pipeline.live_merge_child request.json`` merges a recipe at a scale. Its last line
of output is one JSON object, empty or with the ``message`` and ``hint`` of what went wrong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.errors import MergebotError
from bot.events import silent
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.live_merge import scaled_recipe
from bot.pipeline.merge_recipe import merge_into_folder


def main(arguments: Sequence[str]) -> int:
    """Merge what the request file asks for."""
    request = json.loads(Path(arguments[0]).read_text("utf-8"))
    answer = {}
    try:
        recipe = scaled_recipe(request["recipe"], Path(request["folder"]), request["scale"])
        merge_into_folder(recipe, Path(request["out"]), EngineOptions(threads=2), silent)
    except MergebotError as wrong:
        answer = {"message": wrong.message, "hint": wrong.hint}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
