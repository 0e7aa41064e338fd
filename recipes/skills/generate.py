"""Write the items and the lm-evaluation-harness tasks of the skills suite.

    python recipes/skills/generate.py                     # both splits, as committed
    python recipes/skills/generate.py --out /tmp/skills   # the same, somewhere else

Training and recipes are tuned on the search split; the report split, drawn with a seed of its own
from prompts of its own, is for the table that is published.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import yaml
from skill_items import SKILLS, Item, Split, draw_distinct

HERE = Path(__file__).parent
ITEMS_PER_SKILL = 500
SEEDS: dict[Split, int] = {"search": 11, "report": 2026}
LONGEST_ANSWER = 14


def task_name(skill: str, split: Split) -> str:
    """``skills_sort`` reports, ``skills_sort_search`` is for tuning."""
    return f"skills_{skill}" if split == "report" else f"skills_{skill}_{split}"


def items_of(skill: str, split: Split, seed: int, count: int = ITEMS_PER_SKILL) -> list[Item]:
    """Different items of one skill and split; the seed and the two names decide them all."""
    return draw_distinct(skill, split, count, random.Random(f"{seed}/{skill}/{split}"))


def row_of(item: Item, number: int, split: Split) -> dict[str, Any]:
    """One line of a data file."""
    row: dict[str, Any] = {
        "id": f"{item.skill}-{split}-{number:04d}",
        "prompt": item.prompt,
        "answer": item.answer,
        "skill": item.skill,
        "split": split,
    }
    return row | {"choices": list(item.choices)} if item.choices else row


def task_of(skill: str, split: Split, *, by_choice: bool) -> dict[str, Any]:
    """One lm-eval task; its data file is given relative to the folder of the task file."""
    common: dict[str, Any] = {
        "task": task_name(skill, split),
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"../data/{skill}.{split}.jsonl"}},
        "test_split": "test",
        "num_fewshot": 0,
        "doc_to_text": "prompt",
        "target_delimiter": "",
    }
    metadata = {"metadata": {"version": 1.0}}
    if by_choice:
        metrics = [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]
        return (
            common
            | {
                "output_type": "multiple_choice",
                "doc_to_choice": "choices",
                "doc_to_target": "answer",
                "metric_list": metrics,
            }
            | metadata
        )
    metrics = [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]
    return (
        common
        | {
            "output_type": "generate_until",
            "doc_to_target": "answer",
            "generation_kwargs": {
                "until": ["\n"],
                "max_gen_toks": LONGEST_ANSWER,
                "do_sample": False,
            },
            "metric_list": metrics,
        }
        | metadata
    )


def write_split(split: Split, seed: int, out: Path) -> None:
    """Data and tasks of every skill for one split, below ``out``."""
    for folder in ("data", "tasks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for skill in SKILLS:
        items = items_of(skill, split, seed)
        lines = [json.dumps(row_of(item, n, split)) for n, item in enumerate(items)]
        (out / "data" / f"{skill}.{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        task = task_of(skill, split, by_choice=bool(items[0].choices))
        text = yaml.safe_dump(task, sort_keys=False)
        (out / "tasks" / f"{task['task']}.yaml").write_text(text, "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the items and tasks of the skills suite.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of data/ and tasks/")
    parser.add_argument("--search-seed", type=int, default=SEEDS["search"])
    parser.add_argument("--report-seed", type=int, default=SEEDS["report"])
    arguments = parser.parse_args()
    write_split("search", arguments.search_seed, arguments.out)
    write_split("report", arguments.report_seed, arguments.out)


if __name__ == "__main__":
    main()
