"""The page *Provenance and status*, second part: what was run, when, with which versions, and what was not, in MyST."""

import os
from importlib.metadata import version

import pandas as pd

from semalign.book.claims.evidence import kept_records
from semalign.book.claims.page import ledger
from semalign.book.claims.verdicts import NOT_RUN
from semalign.book.freshness import DRAWING
from semalign.book.kept_texts import BUILDING
from semalign.book.markdown import table
from semalign.book.notebooks import executed_path, notebook_sources, stale_notebooks
from semalign.book.provenance_page import duration, entries, read_notebook
from semalign.experiments.cells import cells
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import load_profile
from semalign.files import read_json
from semalign.paths import results_dir
from semalign.results.surroundings import versions


def notebooks() -> str:
    """Return the table of the notebooks: how each last ran."""
    profile = os.environ.get("SEMALIGN_PROFILE") or "micro"
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


def profiles() -> str:
    """Return the table of the profiles: how many of their records are here and current."""
    lines = []
    for name in profile_names():
        chosen = len(list((results_dir() / f"{name}-selection").glob("*.json")))
        lines.append(
            {
                "profile": f"`{name}`",
                "current records": _current(name),
                "records of choices": str(chosen) if chosen else "–",
                "training": _training(name),
                "command": f"`semalign compare --profile {name} --methods all`",
            }
        )
    caption = (
        "The profiles: how many cells of a comparison have a record of the models, data and settings that are here, "
        "how many records `semalign select` has left, and how long the trainings of all these records took, one after "
        "the other, without their scores; often another process ran on the same machine."
    )
    return table(pd.DataFrame(lines), caption, "tab-status-profiles").text


def _current(name: str) -> str:
    """Return how many records of a profile are current; how many there are, where its models or data are not here."""
    asked = {cell.file_name for cell in cells(load_profile(name))}
    try:
        here, end = len(kept_records(name)), ""
    except FileNotFoundError:
        here = sum((results_dir() / name / file).is_file() for file in asked)
        end = " on record; the models or data that they are of are not on this machine"
    return f"{here} of {len(asked)}{end}" if here else NOT_RUN


def _training(name: str) -> str:
    """Return the time of all trainings that a profile has records of."""
    paths = [path for kind in ("", "-selection") for path in (results_dir() / f"{name}{kind}").glob("*.json")]
    return duration(sum(read_json(path)["seconds"] for path in paths)) if paths else "–"


def claims_not_run() -> str:
    """Return what tests of claims were not run, or say that all were."""
    claims = ledger().claims
    tests = [(c, test.subject, test.command) for c in claims for test in c.all_tests if test.finding.verdict == NOT_RUN]
    lacking = tests + [(claim, claim.test, claim.command) for claim in claims if not claim.tests]
    if not lacking:
        return "Every test of a claim was run.\n"
    lines = "".join(f"- Claim {claim.number}, {what}: `{command}`\n" for claim, what, command in lacking)
    return f"Of the tests of [claims](claims.md), {len(lacking)} were **{NOT_RUN}**:\n\n{lines}"


def devices() -> str:
    """Return the devices of the records that chapters show; without a GPU among them, that none was used."""
    executed = [read_notebook(executed_path(source)) for source in notebook_sources()]
    kept = [entry["records"] for notebook in executed for entry in entries(notebook) if entry["records"]]
    found = sorted({device for records in kept for device in records["devices"]})
    said = f"Devices of the records that the chapters show: {', '.join(found) or 'none'}. "
    return said + (f"On a GPU: **{NOT_RUN}**.\n" if set(found) <= {"cpu"} else "\n")


def packages() -> str:
    """Return the table of the versions with which the book was built."""
    found = versions() | {name: version(name) for name in (*DRAWING, *BUILDING)}
    frame = pd.DataFrame([{"package": f"`{name}`", "version": number} for name, number in found.items()])
    return table(
        frame, "Versions of Python and the packages with which this book was built.", "tab-status-versions"
    ).text
