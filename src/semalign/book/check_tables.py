"""Tables of checks that are run by hand, and those of the paper, in MyST."""

from functools import partial
from typing import Any

import pandas as pd

from semalign.book.markdown import table
from semalign.files import read_json
from semalign.paths import data_dir, results_dir
from semalign.results.records import read_record

GB = 1e9


def gpu_check() -> str:
    """Return the tables of the records that ``benchmarks/gpu_check.py`` wrote on GPUs, in MyST."""
    records = [read_record(path) for path in sorted((results_dir() / "gpu-check").glob("*.json"))]
    if not records:
        return "**not run**: nobody has run `python benchmarks/gpu_check.py` on a GPU yet.\n"
    return "\n".join(_gpu_table(record, number) for number, record in enumerate(records, start=1))


def _gpu_table(record: dict[str, Any], number: int) -> str:
    lines = [
        {
            "type": dtype,
            "phase": phase["phase"],
            "model": phase["model"],
            "seconds": phase["seconds"],
            "tokens/s": f"{phase['tokens'] / phase['seconds']:.0f}" if phase["tokens"] else "–",
            "peak, GB": (phase["peak"] or float("nan")) / GB,
            "planned, GB": (phase["planned"] or {"memory": float("nan")})["memory"] / GB,
        }
        for dtype, phases in record["details"]["phases"].items()
        for phase in phases
    ]
    problems = record["details"]["problems"]
    verdict = "everything is as planned" if not problems else f"{len(problems)} checks failed: {'; '.join(problems)}"
    caption = f"`python benchmarks/gpu_check.py` on {record['device']}, {record['created'][:10]}: {verdict}."
    return table(pd.DataFrame(lines), caption, f"tab-gpu-check-{number}").text


def half_precision() -> str:
    """Return the table of ``benchmarks/half_precision.py`` on SmolLM2, in MyST."""
    path = results_dir() / "speed" / "half-precision.json"
    if not path.is_file():
        return "**not run**: `python benchmarks/half_precision.py smollm2-135m --laten` makes this table.\n"
    found = read_json(path)
    lines = [
        {
            "type": line["dtype"],
            "output term": line["term"],
            "loss": f"{line['loss']:.5f}",
            "difference": f"{line['difference']:.1e}",
            "of the library": f"{line['library_difference']:.1e}",
            "gradient error": f"{line['gradient']:.2%}",
            "of the passes": f"{line['passes']:.2%}",
            "of the loss": f"{line['library']:.3%}",
        }
        for line in found["terms"]
    ]
    changes = ", ".join(f"{change:.2%} in {dtype}" for dtype, change in found["laten"].items())
    of_laten = f" LaTen's change of logits differs by {changes}." if changes else ""
    caption = f"SmolLM2-135M in half precision against float32.{of_laten}"
    return table(pd.DataFrame(lines), caption, "tab-half-precision").text


# The paper's headings of its Tables 3 to 5, and its names of their rows.
PAPER_TABLES = {
    3: (
        "Table 3 of the paper: its Llama 2 models.",
        {"heads": "attention heads", "layers": "layers", "dimension": "dimension", "vocabulary": "vocabulary"},
    ),
    4: (
        "Table 4 of the paper: settings of alignment.",
        {"steps": "steps", "align_size": "align size", "learning_rate": "learning rate"},
    ),
    5: (
        "Table 5 of the paper: settings of training.",
        {"epochs": "epochs", "train_size": "train size", "learning_rate": "learning rate"},
    ),
}


def paper_table(number: int) -> str:
    """Return Table 3, 4 or 5 of the paper in its layout, with models or benchmarks as columns, in MyST."""
    caption, rows = PAPER_TABLES[number]
    found = pd.read_csv(data_dir() / "paper" / f"table{number}.csv", dtype=str)
    columns = found["task"] if "task" in found else found["family"] + " " + found["size"]
    shown = found[list(rows)].T.set_axis(columns, axis=1).rename(index=rows).rename_axis("quantity").reset_index()
    return table(shown, caption, f"tab-paper-{number}").text


paper_3, paper_4, paper_5 = (partial(paper_table, number) for number in PAPER_TABLES)
