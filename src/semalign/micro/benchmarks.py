"""The four micro benchmarks as files: rows in the schemas of MMLU, GSM8K, HumanEval and MBPP.

All content depends on the seeds alone: :func:`write_all` reproduces ``data/benchmarks/semalign`` bit for bit.
"""

import json
import random
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from semalign.files import atomic_path
from semalign.micro import arithmetic, function_family, knowledge, programs

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SIZES: dict[str, int] = {"train": 1000, "validation": 500, "test": 500}
CHECK_ASSERTS = 5
Row = dict[str, Any]


def mmlu_rows(split: Split) -> list[Row]:
    """Return micro-MMLU: distinct questions about the facts of the split, with each letter correct equally often."""
    rng = random.Random(f"mmlu-{split}")
    pool = knowledge.fact_splits()[split]
    distinct: dict[str, Row] = {}
    for i in range(SIZES[split]):
        row = knowledge.mmlu_row(pool[i % len(pool)], rng)
        while jsonl([row]) in distinct:
            row = knowledge.mmlu_row(pool[i % len(pool)], rng)
        distinct[jsonl([row])] = row
    rows = list(distinct.values())
    rng.shuffle(rows)
    return rows


@cache
def _problems() -> dict[str, list[Row]]:
    """Return distinct word problems, divided into the three splits."""
    rng = random.Random("gsm8k")
    distinct: dict[str, Row] = {}
    while len(distinct) < sum(SIZES.values()):
        row = arithmetic.gsm8k_row(arithmetic.problem(rng))
        distinct.setdefault(str(row["question"]), row)
    rows = iter(distinct.values())
    return {split: [next(rows) for _ in range(size)] for split, size in SIZES.items()}


def gsm8k_rows(split: Split) -> list[Row]:
    """Return micro-GSM8K: word problems of one to four steps."""
    return _problems()[split]


@cache
def held_out_questions() -> frozenset[str]:
    """Return all micro-GSM8K questions, which pretraining must not contain."""
    return frozenset(row["question"] for split in SPLITS for row in gsm8k_rows(split))


def humaneval_row(function: programs.Function, task_id: str) -> Row:
    """Return a row in HumanEval's schema; ``test`` defines ``check(candidate)``."""
    count = max(CHECK_ASSERTS, len(function_family.telling_inputs(function)))
    lines = function_family.asserts(function, count, "candidate")
    return {
        "task_id": task_id,
        "prompt": humaneval_prompt(function),
        "canonical_solution": function.body,
        "test": "def check(candidate):\n" + "".join(f"    {line}\n" for line in lines),
        "entry_point": function.name,
    }


def mbpp_row(function: programs.Function, task_id: int) -> Row:
    """Return a row in MBPP's schema; its three asserts fail for all near misses of the function."""
    return {
        "task_id": task_id,
        "text": mbpp_text(function),
        "code": function.source,
        "test_list": function_family.asserts(function, function_family.MBPP_ASSERTS, function.name),
        "test_setup_code": "",
        "challenge_test_list": [],
    }


def humaneval_rows(split: Split) -> list[Row]:
    """Return micro-HumanEval: the body of a function from its signature and docstring."""
    pool = function_family.function_splits()[f"humaneval-{split}"]
    return [humaneval_row(function, f"micro/{split}/{i}") for i, function in enumerate(pool)]


def mbpp_rows(split: Split) -> list[Row]:
    """Return micro-MBPP: a function from its description and asserts."""
    pool = function_family.function_splits()[f"mbpp-{split}"]
    return [mbpp_row(function, i) for i, function in enumerate(pool)]


ROWS: dict[str, Callable[[Split], list[Row]]] = {
    "micro-mmlu": mmlu_rows,
    "micro-gsm8k": gsm8k_rows,
    "micro-humaneval": humaneval_rows,
    "micro-mbpp": mbpp_rows,
}


def humaneval_prompt(function: programs.Function) -> str:
    """Return the signature and docstring of a function."""
    return f'def {function.name}({function.parameters}):\n    """Return {function.description}."""\n'


def mbpp_text(function: programs.Function) -> str:
    """Return the description of a function in the style of MBPP."""
    return f"Write a function to find {function.description}."


def prompt_and_response(name: str, row: Row) -> tuple[str, str]:
    """Return prompt and response of a row, in the benchmark's form and split as in evaluation."""
    if name == "micro-mmlu":
        lettered = zip(knowledge.LETTERS, row["choices"], strict=True)
        listed = "\n".join(f"{letter}. {choice}" for letter, choice in lettered)
        head = f"The following are multiple choice questions (with answers) about {row['subject']}."
        return f"{head}\n\n{row['question']}\n{listed}\nAnswer:", f" {knowledge.LETTERS[row['answer']]}"
    if name == "micro-gsm8k":
        head = "Answer the following question.\n\n"
        return f"{head}Question: {row['question']}\nAnswer:", f" {row['answer']}"
    if name == "micro-humaneval":
        return row["prompt"], row["canonical_solution"]
    lines = "\n".join(row["test_list"])
    return f'"""\n{row["text"]}\n{lines}\n"""\n', row["code"]


def jsonl(rows: Iterable[Row]) -> str:
    """Return rows as JSON lines in a fixed layout."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_all(folder: Path | str) -> list[Path]:
    """Write all splits of all benchmarks below ``folder`` (``micro-mmlu/train.jsonl``); return the paths."""
    written = []
    for name, make in ROWS.items():
        for split in SPLITS:
            target = Path(folder) / name / f"{split}.jsonl"
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(target) as partial:
                partial.write_text(jsonl(make(split)), encoding="utf-8")
            written.append(target)
    return written
