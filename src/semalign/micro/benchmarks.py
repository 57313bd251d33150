"""The four micro benchmarks as files: rows in the schemas of MMLU, GSM8K, HumanEval and MBPP.

Everything here is a function of the seeds: :func:`write_all` makes ``data/benchmarks/semalign`` again, bit
for bit.
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
    """Micro-MMLU: questions about the split's own facts, each letter right equally often, no row twice."""
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
    """Distinct word problems, cut into the three splits."""
    rng = random.Random("gsm8k")
    distinct: dict[str, Row] = {}
    while len(distinct) < sum(SIZES.values()):
        row = arithmetic.gsm8k_row(arithmetic.problem(rng))
        distinct.setdefault(str(row["question"]), row)
    rows = iter(distinct.values())
    return {split: [next(rows) for _ in range(size)] for split, size in SIZES.items()}


def gsm8k_rows(split: Split) -> list[Row]:
    """Micro-GSM8K: word problems of one to four steps."""
    return _problems()[split]


@cache
def held_out_questions() -> frozenset[str]:
    """All micro-GSM8K questions: pretraining may not contain them."""
    return frozenset(row["question"] for split in SPLITS for row in gsm8k_rows(split))


def humaneval_row(function: programs.Function, task_id: str) -> Row:
    """A row in HumanEval's schema; ``test`` defines ``check(candidate)``."""
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
    """A row in MBPP's schema; the three asserts tell the function from its near misses."""
    return {
        "task_id": task_id,
        "text": mbpp_text(function),
        "code": function.source,
        "test_list": function_family.asserts(function, function_family.MBPP_ASSERTS, function.name),
        "test_setup_code": "",
        "challenge_test_list": [],
    }


def humaneval_rows(split: Split) -> list[Row]:
    """Micro-HumanEval: signature and docstring to body."""
    pool = function_family.function_splits()[f"humaneval-{split}"]
    return [humaneval_row(function, f"micro/{split}/{i}") for i, function in enumerate(pool)]


def mbpp_rows(split: Split) -> list[Row]:
    """Micro-MBPP: description and asserts to function."""
    pool = function_family.function_splits()[f"mbpp-{split}"]
    return [mbpp_row(function, i) for i, function in enumerate(pool)]


ROWS: dict[str, Callable[[Split], list[Row]]] = {
    "micro-mmlu": mmlu_rows,
    "micro-gsm8k": gsm8k_rows,
    "micro-humaneval": humaneval_rows,
    "micro-mbpp": mbpp_rows,
}


def humaneval_prompt(function: programs.Function) -> str:
    """Signature and docstring."""
    return f'def {function.name}({function.parameters}):\n    """Return {function.description}."""\n'


def mbpp_text(function: programs.Function) -> str:
    """The description in MBPP's manner."""
    return f"Write a function to find {function.description}."


def prompt_and_response(name: str, row: Row) -> tuple[str, str]:
    """The two texts of a row in the benchmark's own form, as evaluation splits them."""
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
    """Rows as JSON lines with a fixed layout."""
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
