"""Fetches one dataset: ``python -m bot.evaluation.fetch_child request.json``.

This process has the network, and a token where a gated dataset needs one. It loads no model, no
tokenizer and no code of the dataset's repository.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Write each split of the dataset as one parquet file into the request's folder."""
    from datasets import Dataset, load_dataset

    request = json.loads(Path(arguments[0]).read_text("utf-8"))
    loaded = load_dataset(
        request["repo"], request["config"], revision=request["revision"],
        token=os.environ.get("HF_TOKEN") or False,
    )  # fmt: skip
    for split, rows in loaded.items():
        if not isinstance(rows, Dataset) or not str(split).replace("_", "").isalnum():
            raise ValueError(f"split {split!r} is not a table")
        rows.to_parquet(Path(request["folder"]) / f"{split}.parquet")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
