"""Compare MMLU and GSM8K by lm-eval's stock tasks and model class with ours, item by item and with the same prompts.

Both are zero-shot on the same items, which are read from a data root with the layout of the hub. The exit code is
zero if all results are equal or their difference is explained. The only explained difference is the flexible answer
of GSM8K: lm-eval takes the last sequence of at least two characters of "$0-9.,", even without a digit, or of digits;
ours is the last number, with a minus unless that stands behind a letter, digit or bracket.

    SEMALIGN_DATA=/path/to/data python benchmarks/lm_eval_parity.py micro-student --items 20
"""

import argparse
import copy
import re
import sys
from pathlib import Path
from typing import Any

import lm_eval
from datasets import Dataset
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from semalign import LanguageModel, load_model
from semalign.data import tasks as benchmarks
from semalign.evaluation.run import run_task
from semalign.evaluation.transformers_engine import transformers_engine

FOLDERS = {"mmlu": "mmlu/default", "gsm8k": "gsm8k"}
EXTRACTIONS = {"none": "none", "strict": "strict-match", "flexible": "flexible-extract", "lm_eval": "flexible-extract"}
FLEXIBLE = {
    "ours": r"(?:(?<![\w)])-)?[0-9][0-9,]*(?:\.[0-9]+)?",
    "stock": r"(-?[$0-9.,]{2,})|(-?[0-9]+)",
}  # the last match counts
METRIC = {"mmlu": "acc", "gsm8k": "exact_match"}


def stock_task(name: str, folder: str, rows: list[dict[str, Any]]) -> ConfigurableTask:
    """Return a task as lm-eval ships it, zero-shot, over the given items."""
    manager = TaskManager(include_path=str(Path(lm_eval.__file__).parent / "tasks" / folder), include_defaults=False)
    data = Dataset.from_list(rows)
    overrides = {"custom_dataset": lambda **_: dict.fromkeys(("train", "dev", "test"), data), "num_fewshot": 0}
    return manager.load([{"group": "stock", "task": [{"task": name, **overrides}]}])["tasks"][name]


def our_task(name: str, stock: ConfigurableTask, rows: list[dict[str, Any]], max_tokens: int) -> ConfigurableTask:
    """Return our task over the same items, with the prompts and the decoding of the stock task."""
    ours = benchmarks.load_task(name, "test", 1, chat="plain")
    ours.dataset = {"test": Dataset.from_list(rows)}
    ours.config.doc_to_text = lambda document: benchmarks.prompt(stock, document)
    for task in (ours, stock):
        if name == "gsm8k":
            task.config.generation_kwargs = {**stock.config.generation_kwargs, "max_gen_toks": max_tokens}
    return ours


def compare(model: LanguageModel, name: str, rows: list[dict[str, Any]], max_tokens: int = 64) -> list[dict[str, Any]]:
    """Return a dict for each item and extraction: both sides' answers, extracted answers and scores.

    Args:
        model: the model.
        name: ``mmlu`` (with rows of one subject) or ``gsm8k``.
        rows: the items.
        max_tokens: maximum length of an answer.
    """
    with benchmarks.quiet_engine():
        stock = stock_task(f"mmlu_{rows[0]['subject']}" if name == "mmlu" else name, FOLDERS[name], rows)
        ours = our_task(name, stock, rows, max_tokens)
        with transformers_engine(model, batch_size=4) as engine:
            mine = run_task(engine, ours)["samples"][ours.config.task]
        theirs_engine = HFLM(pretrained=model.model, tokenizer=copy.deepcopy(model.tokenizer), batch_size=1)
        theirs = run_task(theirs_engine, stock)["samples"][stock.config.task]
    logged = {(sample["filter"], sample["doc_id"]): sample for sample in theirs}
    pairs = [(a, logged[EXTRACTIONS[a["filter"]], a["doc_id"]]) for a in mine if a["filter"] in EXTRACTIONS]
    return [_line(METRIC[name], a, b) for a, b in pairs]


def _line(metric: str, ours: dict[str, Any], stock: dict[str, Any]) -> dict[str, Any]:
    assert ours["arguments"][0][0] == stock["arguments"][0][0]
    sides = {"ours": ours, "stock": stock}
    return {
        "item": ours["doc_id"],
        "extraction": ours["filter"],
        "answer": {side: sample["resps"] for side, sample in sides.items()},
        "taken": {side: sample["filtered_resps"] for side, sample in sides.items()},
        "score": {side: float(sample[metric]) for side, sample in sides.items()},
    }


def unexplained(line: dict[str, Any], tolerance: float = 1e-3) -> bool:
    """Return whether the two sides differ other than by what their flexible patterns extract from equal answers."""
    ours, stock = line["answer"].values()
    same_score = len(set(line["score"].values())) == 1
    if line["extraction"] == "none":
        log_likelihoods = [(a[0][0], b[0][0]) for a, b in zip(ours, stock, strict=True)]
        return any(abs(a - b) > tolerance for a, b in log_likelihoods) or not same_score
    if line["extraction"] == "flexible":
        expected = {side: [last_number(pattern, ours[0][0])] for side, pattern in FLEXIBLE.items()}
        same_score = same_score or expected["ours"] != expected["stock"]
        return ours != stock or line["taken"] != expected or not same_score
    return ours != stock or line["taken"]["ours"] != line["taken"]["stock"] or not same_score


def last_number(pattern: str, answer: str) -> str:
    """Return what a flexible pattern extracts from an answer: the first non-empty group of its last match."""
    found = re.findall(pattern, answer)
    if not found:
        return "[invalid]"
    groups = found[-1] if isinstance(found[-1], tuple) else (found[-1],)
    return next(group for group in groups if group).strip()


def main() -> int:
    """Compare, print, and return the number of items with an unexplained difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument(
        "--items", type=int, default=20, help="number of items of GSM8K, and of each of two subjects of MMLU"
    )
    arguments = parser.parse_args()
    model, bad = load_model(arguments.model), 0
    mmlu = benchmarks.documents("mmlu", "test")
    parts = [("gsm8k", benchmarks.documents("gsm8k", "test", arguments.items))]
    for subject in ("anatomy", "world_religions"):
        parts.append(("mmlu", [row for row in mmlu if row["subject"] == subject][: arguments.items]))
    for name, rows in parts:
        lines = compare(model, name, rows)
        for extraction in dict.fromkeys(line["extraction"] for line in lines):
            part = [line for line in lines if line["extraction"] == extraction]
            totals = {side: sum(line["score"][side] for line in part) for side in ("ours", "stock")}
            other = [line for line in part if line["taken"]["ours"] != line["taken"]["stock"]]
            wrong = [line for line in part if unexplained(line)]
            counts = f"extracted differently {len(other)}, unexplained {len(wrong)}"
            print(f"{name} {extraction}: {totals} of {len(part)}, {counts}")
            for line in (other if extraction == "flexible" else []) + wrong:
                print(f"  item {line['item']}: {line['taken']}")
            bad += len(wrong)
    return bad


if __name__ == "__main__":
    sys.exit(min(main(), 1))
