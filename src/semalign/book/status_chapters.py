"""The page *Status*, of the notebooks: when and where each notebook ran, in MyST.

What it imports starts quickly, since the text is made again after each change of a chapter.
"""

import pandas as pd

from semalign.book.inputs import book_profile
from semalign.book.markdown import table
from semalign.book.notebooks import executed_path, notebook_sources, stale_notebooks
from semalign.book.provenance_page import duration, entries, read_notebook


def notebooks() -> str:
    """Return the table of the notebooks: how each last ran."""
    profile = book_profile()
    stale = stale_notebooks(profile)
    lines = []
    for source in notebook_sources():
        run = read_notebook(executed_path(source))["metadata"].get("semalign_run", {})
        lines.append(
            {
                "notebook": f"`{source.stem}`",
                "time": duration(run["seconds"]) if run else "–",
                "run on": run.get("created", "–")[:10],
                "commit": f"`{run['commit']}`" if run.get("commit") else "–",
                "state": f"stale: {', '.join(stale[source.stem])}" if source.stem in stale else "fresh",
            }
        )
    caption = f"The notebooks, profile {profile}: how long each took when it last ran, and whether it is still fresh."
    return table(pd.DataFrame(lines), caption, "tab-status-notebooks").text


def devices() -> str:
    """Return the devices of the records that chapters show; without a GPU among them, that none was used."""
    executed = [read_notebook(executed_path(source)) for source in notebook_sources()]
    kept = [entry["records"] for notebook in executed for entry in entries(notebook) if entry["records"]]
    found = sorted({device for records in kept for device in records["devices"]})
    said = f"Devices of the records that the chapters show: {', '.join(found) or 'none'}. "
    return said + ("On a GPU: **not run**.\n" if set(found) <= {"cpu"} else "\n")
