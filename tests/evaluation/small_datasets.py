"""A few made-up rows in the schemas of the public datasets that the real suites read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.evaluation import Suite

Rows = list[dict[str, Any]]

# The columns of IFEval's kwargs; a row fills in what its instructions need.
IFEVAL_KWARGS = (
    "num_highlights", "relation", "num_words", "num_placeholders", "prompt_to_repeat",
    "num_bullets", "section_spliter", "num_sections", "capital_relation", "capital_frequency",
    "keywords", "num_paragraphs", "language", "let_relation", "letter", "let_frequency",
    "end_phrase", "forbidden_words", "keyword", "frequency", "num_sentences",
    "postscript_marker", "first_word", "nth_paragraph",
)  # fmt: skip


def ifeval() -> Mapping[str, Rows]:
    def row(key: int, prompt: str, instruction: str, **kwargs: Any) -> dict[str, Any]:
        return {
            "key": key,
            "prompt": prompt,
            "instruction_id_list": [instruction],
            "kwargs": [dict.fromkeys(IFEVAL_KWARGS) | kwargs],
        }

    return {
        "train": [
            row(1, "Say hi without commas.", "punctuation:no_comma"),
            row(2, "At least 3 sentences.", "length_constraints:number_sentences",
                num_sentences=3, relation="at least"),
            row(3, "Say cat twice.", "keywords:frequency",
                keyword="cat", frequency=2, relation="at least"),
        ]
    }  # fmt: skip


def gsm8k() -> Mapping[str, Rows]:
    def row(n: int) -> dict[str, Any]:
        return {"question": f"{n} plus 1?", "answer": f"It is <<{n}+1={n + 1}>>.\n#### {n + 1}"}

    return {"train": [row(n) for n in range(8)], "test": [row(n) for n in range(20, 24)]}


def arc() -> Mapping[str, Rows]:
    def row(n: int) -> dict[str, Any]:
        return {
            "id": f"item_{n}",
            "question": f"What is {n}?",
            "choices": {"text": ["a", "bb", "ccc", "d"], "label": ["A", "B", "C", "D"]},
            "answerKey": "ABCD"[n % 4],
        }

    return {
        "train": [row(n) for n in range(30)],
        "validation": [row(40)],
        "test": [row(n) for n in range(50, 55)],
    }


def mmlu_pro() -> Mapping[str, Rows]:
    def row(n: int) -> dict[str, Any]:
        return {
            "question_id": n,
            "question": f"Which is {n}?",
            "options": [str(n + i) for i in range(10 if n % 2 else 7)],
            "answer": "A",
            "answer_index": 0,
            "cot_content": "A: Let's think step by step. The answer is (A).",
            "category": "math",
            "src": "made up",
        }

    return {"validation": [row(n) for n in range(5)], "test": [row(n) for n in range(100, 112)]}


def bbh(choice: str) -> Mapping[str, Rows]:
    return {"test": [{"input": f"Which one, {n}?", "target": choice} for n in range(3)]}


def math() -> Mapping[str, Rows]:
    def row(n: int, level: str) -> dict[str, Any]:
        return {
            "problem": f"What is ${n}+1$?",
            "level": level,
            "type": "Algebra",
            "solution": f"It is $\\boxed{{{n + 1}}}$.",
        }

    rows = [row(1, "Level 5"), row(2, "Level 1"), row(3, "Level 5")]
    return {"train": rows, "test": rows}


def gpqa() -> Mapping[str, Rows]:
    return {
        "train": [
            {
                "Question": f"What holds in case {n}?",
                "Correct Answer": f"true {n}",
                **{f"Incorrect Answer {i}": f"false {n}.{i}" for i in (1, 2, 3)},
            }
            for n in range(6)
        ]
    }


def musr() -> Mapping[str, Rows]:
    def row(n: int) -> dict[str, Any]:
        return {
            "narrative": f"A tale of {n // 2}.",
            "question": f"Who did it, {n}?",
            "choices": "['Ann', 'Bo']",
            "answer_index": n % 2,
            "answer_choice": ("Ann", "Bo")[n % 2],
        }

    splits = ("murder_mysteries", "object_placements", "team_allocation")
    return {split: [row(n) for n in range(4)] for split in splits}


BY_REPO: Mapping[str, Callable[[], Mapping[str, Rows]]] = {
    "google/IFEval": ifeval,
    "wis-k/instruction-following-eval": ifeval,
    "openai/gsm8k": gsm8k,
    "allenai/ai2_arc": arc,
    "TIGER-Lab/MMLU-Pro": mmlu_pro,
    "DigitalLearningGmbH/MATH-lighteval": math,
    "Idavidrein/gpqa": gpqa,
    "TAUR-Lab/MuSR": musr,
}

# The first choice of each BBH task, as an answer.
BBH_ANSWERS = {
    "boolean_expressions": "False", "causal_judgement": "Yes", "formal_fallacies": "valid",
    "navigate": "Yes", "object_counting": "7", "sports_understanding": "yes",
    "web_of_lies": "Yes",
}  # fmt: skip


def frozen(suite: Suite, folder: Path) -> Suite:
    """The suite over small local files in place of every dataset it would fetch."""
    for dataset in suite.fetched():
        if dataset.repo == "SaylorTwift/bbh":
            splits = bbh(BBH_ANSWERS.get(dataset.config or "", "(A)"))
        else:
            splits = BY_REPO[dataset.repo]()
        place = folder / dataset.folder
        place.mkdir(parents=True, exist_ok=True)
        for split, rows in splits.items():
            (place / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return suite.with_frozen(folder)


def sentence_splitter(folder: Path) -> Path:
    """NLTK's punkt_tab in its own format, trained on nothing: it splits at full stops."""
    place = folder / "tokenizers" / "punkt_tab" / "english"
    place.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (place / name).write_text("")
    return folder
