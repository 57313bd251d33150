"""Measurements on the page on speed that stand alone, each from a file of a script: a sentence or a table, in MyST."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import pandas as pd

from semalign.book.markdown import table
from semalign.book.tables.speed import MB
from semalign.files import read_json
from semalign.paths import results_dir

Found = dict[str, Any]
LATE = (
    "The time of such a start goes into imports (`python -X importtime`). Done for it: the help is plain text, so that "
    "the package that draws frames is not imported; pydantic makes the checks of settings when some are made first; "
    "installed distributions are searched for methods of their own when names are looked up."
)
CHECKS = 15  # minutes that the checks of a new clone should take
AIMS = {  # seconds in which each build of the book should be done
    "nothing changed": 10,
    "a page changed": 10,
    "a chapter changed, with its notebook": 20,
    "all pages, from finished notebooks": 120,
    "after installation, with all notebooks": 360,
}


def measured_by(script: str, name: str) -> Callable[[Callable[[Found], str]], Callable[[], str]]:
    """Let a function show what a script wrote to a file; without the file, the text names the script.

    Args:
        script: name of a script in ``benchmarks/``.
        name: name of its file in ``data/results/speed/``.
    """

    def decorated(show: Callable[[Found], str]) -> Callable[[], str]:
        @wraps(show)
        def text() -> str:
            path = results_dir() / "speed" / name
            return show(read_json(path)) if path.exists() else f"**not run**: `benchmarks/{script}` measures it.\n"

        return text

    return decorated


@measured_by("generation_speed.py", "generation.json")
def generation(found: Found) -> str:
    """Return a sentence on greedy decoding of a published model beside lm-eval's class."""
    ours, theirs = found["ours"], found["lm_eval"]
    return (
        f"{found['items']} items of {found['task']} by {found['model']}, {found['batch_size']} at a time on "
        f"{found['threads']} threads: lm-eval's class wrote {theirs['tokens_per_second']} tokens a second and "
        f"`semalign evaluate` {ours['tokens_per_second']}, which took {found['ratio']} times less time; "
        f"{found['equal_texts']} of the texts are equal.\n"
    )


@measured_by("backend_speed.py", "backends.json")
def engines(found: Found) -> str:
    """Return a sentence on the library's decoding and vLLM, on the same items in one run."""
    vllm, transformers = (found["backends"][name]["tokens_per_second"] for name in ("vllm", "transformers"))
    return (
        f"vLLM stood beside the engine `transformers` of `semalign evaluate` in one run of commit "
        f"{found['commit'][:7]}, with {found['items']} items of {found['task']} by {found['model']}, "
        f"{found['batch_size']} at a time on {found['threads']} threads: vLLM wrote {vllm} tokens a second, "
        f"{vllm / transformers:.1f} times as many as transformers with {transformers}, and "
        f"{found['equal_texts']} of the {found['items']} texts were equal. Items and run are not those of the "
        "other measurement. If all items fit into one batch, none is left to take the place of an answer that has "
        "ended, so that the last tokens come from a small batch: transformers then writes fewer a second.\n"
    )


@measured_by("map_by_triangle.py", "map-by-triangle.json")
def map_by_triangle(found: Found) -> str:
    """Return a sentence on the alignment map by products with a triangle, which does not pay."""
    saved, more = found["product"] - found["half_product"], found["factor"] + found["rotation"]
    return (
        f"Of a head of {found['vocabulary']:,} x {found['width']:,} on {found['threads']} thread, the product takes "
        f"{found['product']:.2f} s, that with the triangle {found['half_product']:.2f} s, the triangle itself "
        f"{found['factor']:.2f} s and the rotation {found['rotation']:.2f} s: it saves {saved:.2f} s and "
        f"adds {more:.2f} s.\n"
    )


@measured_by("basis_error.py", "basis-error.json")
def basis_error(found: Found) -> str:
    """Return a sentence on the errors of the basis and of PyTorch's pseudoinverse against float64."""
    return (
        f"Of a random head of {found['vocabulary']:,} x {found['width']:,}, {found['rows']} vectors were compared with "
        f"those of a QR decomposition in float64. Their relative error is at most {found['ours']:.0e}, and that of "
        f"`torch.linalg.pinv` in float32 {found['pinv']:.0e}; the difference in the table above has both.\n"
    )


@measured_by("micro_cell.py", "micro-cell.json")
def micro_cell(found: Found) -> str:
    """Return the tables of whole cells of the micro family, and of ways to make their training faster."""
    cells, ways = (pd.DataFrame(found[name]) for name in ("cells", "steps"))
    cells["rest"] = cells["seconds"] - cells["transfer"]
    shown = cells.rename(columns={"seconds": "cell, s", "transfer": "transfer, s", "rest": "score, s"}).round(1)
    fastest = ways.loc[ways["later"].idxmin(), "way"]
    first = ways.loc[ways["later"].idxmin(), "first"]
    faster = (
        "None of them made later steps faster."
        if fastest == ways["way"].iloc[0]
        else f"Fastest in later steps: {fastest}, whose first step takes {first:.1f} s."
    )
    shares = (
        f"In the training steps, {found['shares']['products']:.0%} of the time goes to matrix products and "
        f"{found['shares']['attention']:.0%} to attention.\n"
    )
    of_cells = f"Whole cells of profile `{found['profile']}` on one thread, with nothing kept from before."
    of_ways = f"Training steps of such a cell in other ways: seconds of the first time and of later ones. {faster}"
    ways = ways.rename(columns={"first": "first time, s", "later": "later, s"})
    tables = [table(shown, of_cells, "tab-micro-cells", decimals=1).text, table(ways, of_ways, "tab-micro-steps").text]
    return "\n".join([tables[0], shares, tables[1]])


@measured_by("micro_ways.py", "micro-ways.json")
def micro_ways(found: Found) -> str:
    """Return a table of scores by the number of items at a time, and sentences on threads and on cells in a row."""
    scores = pd.DataFrame(found["scores"]).pivot(index="task", columns="batch", values="seconds").reset_index()
    scores.columns = ["task", *(f"{batch} at a time, s" for batch in scores.columns[1:])]
    one, two = found["threads"]
    few, many = found["cells"][-2:]
    slope = math.log(many["seconds"] / few["seconds"]) / math.log(many["cells"] / few["cells"])
    counted = ", ".join(f"{each['seconds']:.1f} s for {each['cells']}" for each in found["cells"])
    told = (
        f"The training steps take {one['seconds']:.2f} s on one thread and {two['seconds']:.2f} s on two. Cells add "
        f"up: {counted} ({found['train_size']} rows, {found['epochs']} epoch and {found['items']} items each), with an "
        f"exponent of {slope:.2f}; expected is at most 1, as later cells find the teacher's states of earlier ones.\n"
    )
    caption = "Answers and score of the student as it is, on one thread, by the number of items at a time."
    return "\n".join([table(scores, caption, "tab-micro-scores", decimals=1).text, told])


@measured_by("tried.py", "tried.json")
def tried(found: Found) -> str:
    """Return the table of what was tried on steps that fall short."""
    rows = pd.DataFrame(found["rows"])
    rows["memory"] = rows["memory"].div(MB).map("{:.0f}".format)
    rows["products"] = [f"{number:.2f}" if number else "–" for number in rows["products"]]
    rows["calls"] = [f"{number}" if number > 1 else "–" for number in rows["calls"]]
    titles = {"first": "first time, s", "seconds": "later, s", "memory": "MB", "products": "products, s"}
    rows = rows.rename(columns=titles | {"calls": "calls of the model"})
    caption = (
        f"What was tried on steps that fall short: the first round, and the median of the later ones, which take "
        f"turns; on {found['threads']} threads where none are named and one for answers and tokens; peak memory; the "
        f"time of PyTorch's products of matrices, in a round of their own, which the profiler may slow; commit "
        f"{found['commit'][:7]}."
    )
    return table(rows, caption, "tab-tried").text


@measured_by("start_times.py", "start-times.json")
def start_times(found: Found) -> str:
    """Return the table of how long programs take to start."""
    rows = pd.DataFrame(found["rows"]).rename(columns={"reach": "to reach"})
    rows["command"] = rows["command"].map("`{}`".format)
    caption = (
        f"Start of a process with all it does, median of {found['rounds']} on {found['cores']} cores, commit "
        f"{found['commit'][:7]}. The first line is Python alone."
    )
    late = rows[rows["seconds"] > rows["to reach"]]
    missed = [f"{row.command} takes {row.seconds:.2f} s." for row in late.itertuples()]
    return "\n".join([table(rows, caption, "tab-start").text, " ".join([*missed, LATE if missed else ""]).strip(), ""])


@measured_by("build_times.py", "builds.json")
def builds(found: Found) -> str:
    """Return the times of builds of the book and of the steps of the checks in CI."""
    named = {
        "builds": ("Builds of the book", "tab-builds"),
        "checks": ("Steps of `.ci/run` in a new clone", "tab-checks"),
    }
    shown = []
    for key, (title, name) in named.items():
        if key in found:
            rows = pd.DataFrame(found[key])
            whole = f", {rows['seconds'].sum() / 60:.0f} minutes in all, to reach {CHECKS}" if key == "checks" else ""
            if key == "builds":
                rows["to reach"] = rows["build"].map(AIMS)
                late = rows[rows["seconds"] > rows["to reach"]]["build"]
            made_at = found["commit" if key == "builds" else "checks_commit"][:7]
            caption = f"{title} on {found['cores']} cores, commit {made_at}{whole}."
            shown.append(table(rows, caption, name, decimals=0).text)
            if key == "builds" and len(late):
                shown.append(f"Not reached: {'; '.join(late)}.\n")
    return "\n".join(shown)
