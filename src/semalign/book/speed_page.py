"""What the page on speed shows: the table, the figure and the growth of cost, from the records of ``make bench``."""

from collections.abc import Mapping
from io import StringIO

import matplotlib.pyplot as plt

from semalign.book.figures.speed import ratios
from semalign.book.markdown import table
from semalign.book.tables.speed import Runs, growth_table, speed_data, speed_records, speed_table
from semalign.book.theme import apply_theme
from semalign.paths import results_dir

TEXT = "#262626"  # of seaborn's style
ALT = "A point for each step and run on a logarithmic axis of ratios, with a mark at the ratio to reach."
CAPTION = (
    "How many times faster each step is than its peer, at the largest size: medians, and bars from the quartiles that "
    "are closest to those that are furthest. What to see: steps right of their mark reach what was aimed at."
)


def speed_tables() -> str:
    """Return tables and figure in MyST."""
    records = speed_records(results_dir() / "bench")
    if not records:
        return "**not run**: `make bench RUN=1` on an idle machine makes this table.\n"
    runs = [record for each in records.values() for record in each]
    last = max(runs, key=lambda record: record["created"])
    machine = last["details"]["machine"]
    caption = (
        f"Each step beside its peer at the largest size, {machine['count']} cores of {machine['brand_raw']}, "
        f"{last['created'][:10]}, commit {(last['commit'] or 'unknown')[:7]}. Ratios of all runs, each with the spread "
        "of its quartiles; the rest is of the last run. MB: peak memory above the prepared work. Of the limit: of the "
        "operations or bytes per second that a large product or a copy reached in the same run. Difference: the "
        "largest of the two results."
    )
    expected = (
        "Exponents with which the time grows between the last two sizes, and those that the algorithm should have."
    )
    drawn = f"```{{raw}} html\n<figure>{_svg(records)}<figcaption>{CAPTION}</figcaption></figure>\n```\n"
    shown = (table(speed_table(records), caption, "tab-speed"), table(growth_table(records), expected, "tab-growth"))
    return "\n".join([shown[0].text, drawn, shown[1].text])


def _svg(records: Mapping[str, Runs]) -> str:
    """Return the figure as SVG whose text has the colour of the page."""
    apply_theme()
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "semalign"}):
        figure, text = ratios(speed_data(records)), StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
    drawing = text.getvalue()
    return (
        drawing[drawing.index("<svg") :]
        .replace("<svg", f'<svg role="img" aria-label="{ALT}"', 1)
        .replace(TEXT, "currentColor")
    )
