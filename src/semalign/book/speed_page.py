"""What the page on speed shows, all from records: tables, figure, reasons, growth of cost, profiles, generation."""

from collections.abc import Mapping
from io import StringIO

import matplotlib.pyplot as plt
import pandas as pd

from semalign.book.figures.speed import ratios
from semalign.book.markdown import table
from semalign.book.tables.speed import (
    Runs,
    growth_table,
    profile_table,
    shortfalls,
    speed_data,
    speed_records,
    speed_table,
)
from semalign.book.theme import apply_theme, inline_svg
from semalign.files import read_json
from semalign.paths import results_dir

ALT = "A point for each step and run on a logarithmic axis of ratios, with a mark at the ratio to reach."
NO_GPU = "On a GPU: **not run**; the same command measures the same steps there.\n"
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
    drawn = f"```{{raw}} html\n<figure>{_svg(on_cpu)}<figcaption>{CAPTION}</figcaption></figure>\n```\n"
    others = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != "cpu"]
    on_gpus = [_tables(speed_records(path), path.name) for path in others]
    return "\n".join([_tables(on_cpu, "cpu"), drawn, *(on_gpus or [NO_GPU])])


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


def generation() -> str:
    """Return a sentence on greedy decoding of a published model beside lm-eval's class."""
    path = results_dir() / "speed" / "generation.json"
    if not path.exists():
        return "**not run**: `benchmarks/generation_speed.py` measures it.\n"
    found = read_json(path)
    ours, theirs = found["ours"], found["lm_eval"]
    return (
        f"{found['items']} items of {found['task']} by {found['model']}, {found['batch_size']} at a time on "
        f"{found['threads']} threads: lm-eval's class wrote {theirs['tokens_per_second']} tokens a second and "
        f"`semalign evaluate` {ours['tokens_per_second']}, which took {found['ratio']} times less time; "
        f"{found['equal_texts']} of the texts are equal (`data/results/speed/generation.json`, made by "
        "`benchmarks/generation_speed.py`).\n"
    )


def map_by_triangle() -> str:
    """Return a sentence on the alignment map by products with a triangle, which does not pay."""
    path = results_dir() / "speed" / "map-by-triangle.json"
    if not path.exists():
        return "**not run**: `benchmarks/map_by_triangle.py` measures it.\n"
    found = read_json(path)
    saved, more = found["product"] - found["half_product"], found["factor"] + found["rotation"]
    return (
        f"Of a head of {found['vocabulary']:,} x {found['width']:,} on {found['threads']} thread, the product takes "
        f"{found['product']:.2f} s, that with the triangle {found['half_product']:.2f} s, the triangle itself "
        f"{found['factor']:.2f} s and the rotation {found['rotation']:.2f} s: {saved:.2f} s are saved, and "
        f"{more:.2f} s come in (`benchmarks/map_by_triangle.py`).\n"
    )


def micro_cell() -> str:
    """Return the tables of whole cells of the micro family, and of ways to make their training faster, in MyST."""
    path = results_dir() / "speed" / "micro-cell.json"
    if not path.exists():
        return "**not run**: `benchmarks/micro_cell.py` measures it.\n"
    found = read_json(path)
    cells, ways = (pd.DataFrame(found[name]) for name in ("cells", "steps"))
    cells["rest"] = cells["seconds"] - cells["transfer"]
    shown = cells.rename(columns={"seconds": "cell, s", "transfer": "transfer, s", "rest": "score, s"}).round(1)
    ways = ways.rename(columns={"first": "first time, s", "later": "later, s"})
    of_cells = f"Whole cells of profile `{found['profile']}` on one thread, with nothing kept from before."
    of_ways = "Training steps of such a cell in other ways: seconds of the first time and of later ones."
    shares = (
        f"In the training steps, {found['shares']['products']:.0%} of the time goes to matrix products and "
        f"{found['shares']['attention']:.0%} to attention.\n"
    )
    tables = [table(shown, of_cells, "tab-micro-cells", decimals=1).text, table(ways, of_ways, "tab-micro-steps").text]
    return "\n".join([tables[0], shares, tables[1]])


def builds() -> str:
    """Return the times of builds of the book and of the steps of the checks in CI, in MyST."""
    path = results_dir() / "speed" / "builds.json"
    if not path.exists():
        return "**not run**: `benchmarks/build_times.py` measures it.\n"
    found = read_json(path)
    named = {
        "builds": ("Builds of the book", "tab-builds"),
        "checks": ("Steps of `.ci/run` in a new clone", "tab-checks"),
    }
    shown = []
    for key, (title, name) in named.items():
        if key in found:
            rows = pd.DataFrame(found[key])
            whole = f", {rows['seconds'].sum() / 60:.0f} minutes in all" if key == "checks" else ""
            caption = f"{title} on {found['cores']} cores, commit {found['commit'][:7]}{whole}."
            shown.append(table(rows, caption, name, decimals=0).text)
    return "\n".join(shown)


def _tables(records: Mapping[str, Runs], device: str) -> str:
    last = max((record for runs in records.values() for record in runs), key=lambda record: record["created"])
    machine = last["details"]["machine"]
    where = f"{machine['cores']} cores of {machine['processor']}" if device == "cpu" else machine["device"]
    caption = (
        f"Each step beside its peer at the largest size: {where}, {last['created'][:10]}, commit "
        f"{(last['commit'] or 'unknown')[:7]}. Ratios of all runs, with the spread of the quartiles; the rest is "
        "of the last run. Seconds and MB: ours / the peer's; MB is the peak above the prepared work. Limit: the share "
        "of the operations or bytes per second that a large product or a copy reached in the same run. Difference: "
        "the largest of the two results."
    )
    expected = "Exponents of the time, from the last two sizes that differ in one number, and those of the algorithm."
    shown = (
        table(speed_table(records), caption, f"tab-speed-{device.lower()}"),
        table(growth_table(records), expected, f"tab-growth-{device.lower()}"),
    )
    short = shortfalls(records)
    below = ["Where a step falls short of its mark, and why:\n", *short, ""] if short else []
    return "\n".join([shown[0].text, *below, shown[1].text])


def _svg(records: Mapping[str, Runs]) -> str:
    """Return the figure as a part of the page."""
    apply_theme()
    figure, text = ratios(speed_data(records)), StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    plt.close(figure)
    return inline_svg(text.getvalue(), ALT)
