"""What the page on speed shows of `make bench`, all from records: tables, figure, reasons, growth of cost, profiles."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd

from semalign.book.drawn_figure import drawn_figure
from semalign.book.figures.speed import ratios
from semalign.book.markdown import Markdown, folded, table
from semalign.book.provenance import source_container
from semalign.book.stacked import draw
from semalign.book.tables.speed import (
    Runs,
    growth_table,
    profile_table,
    sizes_table,
    speed_data,
    speed_records,
    speed_table,
)
from semalign.book.tables.speed_remarks import compared, origins, run_once, shortfalls
from semalign.book.theme import apply_theme, inline_svg
from semalign.paths import results_dir
from semalign.results.records import read_record

BENCH = "make bench"
ALT = "A point for each step and run on a logarithmic axis of ratios, with a mark at the ratio to reach."
NO_GPU = "On a GPU: **not run**; the same command measures the same steps there."
SHORT = "Where a step falls short of its mark in its slowest run, and why:\n"
SHORT_ON_GPU = (
    "The marks were set for a CPU, and no step was made faster for a GPU yet. Where a step falls short of its mark "
    "there; [what is known of it](#speed-on-a-gpu) stands below:\n"
)
CAPTION = (
    "How many times faster each step is than its peer, at the largest size: medians, and bars from the quartiles that "
    "are closest to those that are furthest. What to see: steps right of their mark reach what was aimed at."
)


def speed_tables() -> str:
    """Return tables and figure of the CPU, then the tables of each GPU, in MyST."""
    folder = results_dir() / "bench"
    on_cpu = speed_records(folder / "cpu")
    if not on_cpu:
        return "**not run**: `make bench RUN=1` on an idle machine makes this table.\n"
    drawn = drawn_figure(_svg(on_cpu), CAPTION, "fig-speed")
    drawn += source_container("figures.speed", [_folder("cpu")], BENCH)
    others = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != "cpu"]
    on_gpus = [_tables(speed_records(path), path.name) for path in others]
    return "\n".join([_tables(on_cpu, "cpu"), drawn, *(on_gpus or [_not_on_gpu()])])


def profiles() -> str:
    """Return the table of where the time of the three largest costs goes, in MyST."""
    path = results_dir() / "bench" / "profiles.csv"
    if not path.exists():
        return "**not run**: `python -m bench.profiles` makes this table.\n"
    found = pd.read_csv(path)
    commits = found.groupby("code")["commit"].first()
    caption = (
        "Where the time goes on one thread, by PyTorch's profiler, whose own time is in it: the slowest operations, "
        f"before (commit {commits.get('before', '–')}) and after (commit {commits.get('after', '–')}) the changes. "
        "Between operations, Python runs. An operation without a number is not among the five slowest there."
    )
    return table(profile_table(found), caption, "tab-profiles").text


def _tables(records: Mapping[str, Runs], device: str) -> str:
    """Return the tables of a device, with what there is to say of them between."""
    machine, name = next(iter(records.values()))[-1]["details"]["machine"], device.lower()
    where = f"{machine['cores']} cores of {machine['processor']}" if device == "cpu" else machine["device"]
    caption = (
        f"Each step beside its peer at the largest size: {where}. Ratios of all runs, with the spread of the "
        "quartiles; the rest is of the last run. Seconds and MB: ours / the peer's; MB is the peak above the prepared "
        "work. Limit: the share of the operations or bytes per second that a large product or a copy reached in the "
        "same run. Difference: the largest of the two results."
    )
    every = f"The same at every size: {where}. Rounds: how often each side ran."
    expected = "Exponents of the time, from the last two sizes that differ in one number, and those of the algorithm."
    return "\n".join(
        [
            table(speed_table(records), caption, f"tab-speed-{name}").text,
            source_container("speed_page", [_folder(device)], BENCH),
            f"{origins(records)} {run_once(records)}\n",
            folded(table(sizes_table(records), every, f"tab-sizes-{name}"), "All sizes").text,
            folded(Markdown("\n".join([*compared(records), ""])), "What is compared, and what is in memory").text,
            _short(records, on_cpu=device == "cpu"),
            table(growth_table(records), expected, f"tab-growth-{name}").text,
        ]
    )


def _folder(device: str) -> str:
    return f"`data/results/bench/{device}`"


def _short(records: Mapping[str, Runs], on_cpu: bool) -> str:
    """Return where steps fall short of their marks, open for a CPU and folded for a GPU."""
    lines = shortfalls(records, explained=on_cpu)
    if not lines:
        return ""
    if on_cpu:
        return "\n".join([SHORT, *lines, ""])
    return folded(Markdown("\n".join([SHORT_ON_GPU, *lines, ""])), "Where steps fall short").text


def _not_on_gpu() -> str:
    """Return that no step was measured on a GPU, and what the check of a GPU says of the basis beside its peer."""
    records = [read_record(path) for path in sorted((results_dir() / "gpu-check").glob("*.json"))]
    lines = [
        f"of {phase['details']['rows']:,} x {phase['details']['width']:,} it takes {phase['seconds']:.2f} s on "
        f"{record['device']}, and `torch.linalg.pinv` {phase['details']['pinv_seconds']:.2f} s"
        for record in records
        for phase in next(iter(record["details"]["phases"].values()))
        if "pinv_seconds" in phase["details"]
    ]
    known = (
        f" The [check of a GPU](#decisions-where-models-are) has the basis alone beside its peer: {'; '.join(lines)}."
    )
    return f"{NO_GPU}{known if lines else ''}\n"


def _svg(records: Mapping[str, Runs]) -> str:
    """Return the figure as a part of the page."""
    apply_theme()
    figure = ratios(speed_data(records))
    text = draw(figure)
    plt.close(figure)
    return inline_svg(text, ALT)
