"""Tables of costs: seconds and memory of a transfer by each method, next to its score."""

from pathlib import Path

import pandas as pd

from semalign.book.markdown import Interval
from semalign.book.tables.controls import kind_of, label
from semalign.book.tables.paper import Key, title
from semalign.book.tables.transfers import NOT_RUN, by_key
from semalign.experiments.cells import entries_of
from semalign.experiments.inputs import fingerprint_of
from semalign.experiments.profiles import Profile
from semalign.results.records import read_records

MIB = 2**20
NUMBERS = ["method", "kind", "seconds", "memory", "before", "value", "low", "high", "task"]


def cost_records(profile: Profile, folder: Path) -> pd.DataFrame:
    """Return the cost records of the profile's models; the frame is empty if the folder does not exist."""
    if not folder.is_dir():
        return pd.DataFrame()
    records = read_records(folder)
    models = {"teacher": fingerprint_of(profile.teacher), "student": fingerprint_of(profile.student)}
    kept = [all(prints.get(key) == value for key, value in models.items()) for prints in records["fingerprints"]]
    return records[kept]


def cost_data(profile: Profile, records: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return seconds, memory (MiB) and score of each method on the same task, in the order of the other tables.

    Args:
        profile: the profile.
        records: records of :func:`cost_records`, at least one.
        scores: see :func:`semalign.experiments.runs.summary`.
    """
    found, task = by_key(scores), records["task"].iloc[0]
    lines = records.set_index("method").reindex(
        [n for n in entries_of(profile, ["all"]) if n in set(records["method"])]
    )
    data = pd.DataFrame(
        {"method": lines.index, "kind": lines.index.map(kind_of), "seconds": lines["seconds"].to_numpy()}
    )
    data["memory"] = lines["peak_memory_bytes"].to_numpy() / MIB
    data["before"] = [details["memory_before_bytes"] / MIB for details in lines["details"]]
    scored = [found.get(Key(name, profile.teacher, profile.student, title(task))) for name in data["method"]]
    for column in ("value", "low", "high"):
        data[column] = [float("nan") if line is None else line[column] for line in scored]
    return data.assign(task=lines["task"].to_numpy())[NUMBERS]


def cost_table(data: pd.DataFrame) -> pd.DataFrame:
    """Return costs and scores as a table, with the numbers of the figure."""
    shown = data[["method", "kind", "seconds", "memory", "before"]].copy()
    shown["method"] = shown["method"].map(label)
    shown.insert(0, "no.", [str(number) for number in range(1, len(data) + 1)])
    numbers = zip(data["value"], data["low"], data["high"], strict=True)
    shown["score"] = [NOT_RUN if pd.isna(value) else Interval(value, low, high) for value, low, high in numbers]
    return shown.rename(columns={"memory": "peak MiB", "before": "MiB before the transfer"})


def cost_caption(profile: Profile, records: pd.DataFrame) -> str:
    """Return the caption of the table: task, number of rows and threads, and methods that were not run."""
    absent = [name for name in entries_of(profile, ["all"]) if name not in set(records["method"])]
    threads = ", ".join(sorted({str(configuration.get("threads")) for configuration in records["configuration"]}))
    return (
        f"Cost of one transfer on {title(records['task'].iloc[0])} ({records['n'].iloc[0]} training rows, {threads} "
        f"thread), and the score there. One run each" + (f"; {NOT_RUN}: {', '.join(absent)}." if absent else ".")
    )
