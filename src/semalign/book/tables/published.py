"""Tables of published weights: benchmark scores of a model, and transfers into a student derived from it."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.book.markdown import Cell, Interval, interval
from semalign.book.tables.analyses import layers
from semalign.book.tables.trainings import change_cell
from semalign.book.tables.transfers import NOT_RUN
from semalign.results.records import read_record
from semalign.results.statistics import paired_bootstrap

BENCHMARKS = {
    "mmlu": "MMLU",
    "gsm8k": "GSM8K",
    "humaneval_greedy": "HumanEval, greedy",
    "humaneval": "HumanEval, 20 samples",
    "mbpp": "MBPP",
}


def record_of(path: Path) -> dict[str, Any] | None:
    """Return a record, or None if it does not exist."""
    return read_record(path) if path.is_file() else None


def benchmark_table(records: Mapping[str, Mapping[str, Mapping[str, Any] | None]], card: pd.DataFrame) -> pd.DataFrame:
    """Return our scores of a model in several chat formats, their other metrics, and the scores of its model card.

    Args:
        records: for each format, records of the scores by task of :data:`BENCHMARKS`; None if not run.
        card: ``score`` and ``how`` it was measured, by task.
    """
    lines = []
    for (task, name), (chat, by_task) in product(BENCHMARKS.items(), records.items()):
        reported = f"{card.loc[task, 'score']} ({card.loc[task, 'how']})" if task in card.index else "none"
        lines.append({"benchmark": name, "format": chat, **_score(by_task[task]), "model card": reported})
    return pd.DataFrame(lines)


def _score(record: Mapping[str, Any] | None) -> dict[str, str | Interval]:
    if record is None:
        return {"score": NOT_RUN, "metric": "", "items": "", "also": "", "minutes": ""}
    others = {key: value for key, value in record["details"]["scores"].items() if key != record["metric"]}
    return {
        "score": Interval(record["value"], *record["interval"]),
        "metric": record["metric"].replace(",", ", "),
        "items": str(record["n"]),
        "also": "; ".join(f"{key.replace(',', ', ')} {value:.1f}" for key, value in others.items()),
        "minutes": f"{record['details']['evaluation_seconds'] / 60:.0f}",
    }


def format_differences(records: Mapping[str, Mapping[str, Mapping[str, Any] | None]]) -> str:
    """Return how the scores of the second of two formats differ from those of the first, in points, item by item."""
    first, second = records.values()
    texts = []
    for task, name in BENCHMARKS.items():
        pair = second[task], first[task]
        if all(record is not None for record in pair):
            ours, theirs = ([100 * float(item) for item in record["details"]["correct"]] for record in pair if record)
            texts.append(f"{name} {interval(*paired_bootstrap(ours, theirs), signed=True)}")
    return ", ".join(texts) or NOT_RUN


def transfer_table(records: Mapping[tuple[str, str], Mapping[str, Any] | None]) -> pd.DataFrame:
    """Return measurements on held-out rows before → after transfers.

    Args:
        records: records by task and objective; None if not run.
    """
    lines = []
    for (task, objective), record in records.items():
        what = {"data": BENCHMARKS.get(task, task), "objective": objective}
        lines.append({**what, **({"response NLL": NOT_RUN} if record is None else _change(record))})
    return pd.DataFrame(lines).fillna("")


def change_text(records: Mapping[tuple[str, str], Mapping[str, Any] | None], name: str) -> str:
    """Return a held-out measurement before → after each transfer; arguments as in :func:`transfer_table`."""
    texts = []
    for (task, objective), record in records.items():
        if record is not None:
            before, after = (record["details"][when][name] for when in ("before", "after"))
            texts.append(f"{BENCHMARKS.get(task, task)}, {objective}, {before:.2f} → {after:.2f}")
    return "; ".join(texts) or NOT_RUN


def _change(record: Mapping[str, Any]) -> dict[str, str | Cell]:
    details = record["details"]
    return {
        "layers": layers(details["teacher_layers"][0][0], details["student_layer"]),
        "held out": str(record["n"]),
        "response NLL": _before_after(details, "response_nll", "response NLL"),
        "layer cosine": _before_after(details, "layer_cosine", "layer cosine"),
        "minutes": f"{record['seconds'] / 60:.0f}",
    }


def _before_after(details: Mapping[str, Any], key: str, name: str) -> Cell:
    return change_cell(name, details["before"][key], details["after"][key])


def engine_text(run: Mapping[str, Any]) -> str:
    """Return a sentence on the speed of both engines, from a run on the same items."""
    vllm, transformers = (run["backends"][name]["tokens_per_second"] for name in ("vllm", "transformers"))
    return (
        f"In one run of {run['items']} items of GSM8K, in float32 on {run['threads']} threads of a CPU, "
        f"{run['batch_size']} at a time, vLLM wrote {vllm} tokens a second and transformers {transformers}; "
        f"{run['equal_texts']} of the {run['items']} texts were equal"
    )
