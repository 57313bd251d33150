"""A row of each benchmark, a task file with its rows, and a way to write rows as a split of a data root."""

import json
from pathlib import Path

import yaml

MMLU = {
    "question": "What is the capital of Zub?",
    "subject": "maps",
    "choices": ["Ra", "Ro", "Ru", "Ry"],
    "answer": 2,
}
GSM8K = {"question": "Kim has 4 nuts, eats 1. How many?", "answer": "4-1=3\n#### 3"}
HUMANEVAL = {
    "task_id": "micro/0",
    "prompt": 'def double(x):\n    """Return twice x."""\n',
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    "entry_point": "double",
}
MBPP = {
    "task_id": 1,
    "text": "Write a function to add.",
    "code": "def add(a, b):\n    return a + b\n",
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
    "test_setup_code": "",
    "challenge_test_list": [],
}

SUMS = [{"question": "1+1", "answer": "2"}, {"question": "2+2", "answer": "4"}]
SUMS_TASK = {
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"exam": "items.jsonl", "practice": "items.jsonl"}},
    "test_split": "exam",
    "training_split": "practice",
    "doc_to_text": "Compute {{question}}:",
    "doc_to_target": "answer",
    "generation_kwargs": {"until": ["\n"], "do_sample": False, "max_gen_toks": 4},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1, "primary": "exact_match,none"},
}


def write(root: Path, name: str, rows: list[dict]) -> None:
    path = root / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_task(folder: Path, rows: list[dict], text: str = "", **changes) -> Path:
    """Write a task file of one's own with its rows: that of sums, with changes, and more YAML at its end."""
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    content = {key: value for key, value in {**SUMS_TASK, **changes}.items() if value is not None}
    (folder / "sums.yaml").write_text(yaml.safe_dump(content) + text)
    return folder / "sums.yaml"
