"""The page *Status*: what was run of profiles and claims, what not, and the versions."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

import pandas as pd

from semalign.book.claims.evidence import kept_records
from semalign.book.claims.page import ledger
from semalign.book.claims.verdicts import NOT_RUN
from semalign.book.freshness import DRAWING
from semalign.book.inputs import book_profile, declared_inputs, input_paths
from semalign.book.kept_texts import BUILDING
from semalign.book.markdown import table
from semalign.book.notebooks import notebook_sources
from semalign.book.provenance_page import duration
from semalign.experiments.cells import cells
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import load_profile
from semalign.files import read_json
from semalign.paths import results_dir
from semalign.results.records import NONE
from semalign.results.surroundings import versions


def profiles() -> str:
    """Return the table of the profiles: what each asks for, how many records of it are here, and what makes them."""
    lines = _lines()
    spent = {part: sum((line[part] for line in lines), 0.0) for part in ("training", "scores", "on a GPU")}
    lines.append({"profile": "all", "what": "", "records": "", **spent, "command": ""})
    caption = (
        "The profiles: for a comparison, how many of its cells have a record of the models, data and settings that are "
        "here; for choices, sweeps and curves, how many records there are; and how long trainings and their scores "
        "took, one after the other; often another process ran on the same machine. A curve's training has its scores "
        "in it. What was not on a GPU, of both, ran on CPUs."
    )
    frame = pd.DataFrame(lines)
    for part in spent:
        frame[part] = [duration(seconds) if seconds else "–" for seconds in frame[part]]
    return table(frame, caption, "tab-status-profiles").text


def others() -> str:
    """Return the table of the folders of results that are of no profile: how many records, and how long they took."""
    of_profiles = {f"{name}{kind.folder}" for name in profile_names() for kind in (COMPARISON, GRID, SWEEP, CURVES)}
    lines = []
    for folder in sorted(path for path in results_dir().iterdir() if path.is_dir() and path.name not in of_profiles):
        took = [read_json(path).get("seconds") for path in folder.rglob("*.json")]
        if seconds := [each for each in took if each]:
            lines.append({"folder": f"`{folder.name}`", "records": len(seconds), "time": duration(sum(seconds))})
    caption = "Records of no profile, by their folder, and how long they took, one after the other."
    return table(pd.DataFrame(lines), caption, "tab-status-others").text


def not_run() -> str:
    """Return the list of what was not run, or only in part: of the profiles, and of the tests of claims."""
    profiles = [
        f"- Profile {line['profile']}, {line['what']}: {line['records']}; {line['command']}\n"
        for line in _lines()
        if not _is_whole(line["records"])
    ]
    return f"{''.join(profiles)}\n{claims_not_run()}"


def _is_whole(records: str) -> bool:
    """Return whether all records that are asked for are there, by their count: ``3``, ``3 of 3``, or *not run*."""
    here, _, asked = records.partition(" of ")
    return records != NOT_RUN and asked.partition(" ")[0] in ("", here)


class Kind(NamedTuple):
    """What can be made of a profile: its name, the end of its folder's name, and its verb."""

    name: str
    folder: str
    verb: str


COMPARISON = Kind("comparison", "", "compare")
GRID = Kind("choice of settings", "-selection", "select")
SWEEP = Kind("sweep", "-sweep", "sweep")
CURVES = Kind("curves", "-curves", "curves")


def _kinds(name: str) -> Iterator[Kind]:
    """Yield what a profile is for: a grid that no entry takes its settings from is swept, others are chosen from."""
    profile = load_profile(name)
    if not profile.selection or _current(name) != NOT_RUN:
        yield COMPARISON
    if profile.selection:
        yield GRID if profile.variants else SWEEP
    if f"results/{name}{CURVES.folder}" in _read_by_chapters():
        yield CURVES


def _read_by_chapters() -> set[str]:
    """Return what the notebooks read below ``data/``."""
    return {place for source in notebook_sources() for place in input_paths(declared_inputs(source), book_profile())}


def _lines() -> list[dict[str, Any]]:
    return [_line(name, kind) for name in profile_names() for kind in _kinds(name)]


def _line(name: str, kind: Kind) -> dict[str, Any]:
    records = [read_json(path) for path in (results_dir() / f"{name}{kind.folder}").glob("*.json")]
    training = [(record, record["seconds"]) for record in records if record["method"] != NONE]
    scores = [(record, record["details"].get("evaluation_seconds", 0)) for record in records]
    return {
        "profile": f"`{name}`",
        "what": kind.name,
        "records": _current(name) if kind is COMPARISON else str(len(records) or NOT_RUN),
        "training": float(sum(seconds for _, seconds in training)),
        "scores": float(sum(seconds for _, seconds in scores)),
        "on a GPU": float(sum(seconds for record, seconds in training + scores if record["device"] != "cpu")),
        "command": f"`semalign {kind.verb} --profile {name}`",
    }


def _current(name: str) -> str:
    """Return how many records of a profile are current and how many others there are; or that none can be compared."""
    asked = {cell.file_name for cell in cells(load_profile(name))}
    on_record = sum((results_dir() / name / file).is_file() for file in asked)
    try:
        here = len(kept_records(name))
        others = on_record - here
        end = f"; {others} more of other models, data or settings" if others > 0 else ""
    except FileNotFoundError:
        here, end = on_record, " on record; the models or data that they are of are not on this machine"
    return f"{here} of {len(asked)}{end}" if here or on_record else NOT_RUN


def claims_not_run() -> str:
    """Return what tests of claims were not run, those that lack the same in one line, or say that all were run."""
    claims = ledger().claims
    tests = [(c, test.subject, test.told) for c in claims for test in c.all_tests if test.finding.verdict == NOT_RUN]
    lacking = tests + [(claim, claim.test, f"`{claim.command}`") for claim in claims if not claim.tests]
    if not lacking:
        return "Every test of a claim was run.\n"
    numbers: dict[tuple[str, str], list[str]] = {}
    for claim, what, told in lacking:
        numbers.setdefault((what, told), []).append(str(claim.number))
    lines = (
        f"- Claim{'s' * (len(found) > 1)} {', '.join(found)}, {what}: {told}\n"
        for (what, told), found in numbers.items()
    )
    return f"Of the tests of [claims](claims.md), {len(lacking)} were **{NOT_RUN}**:\n\n{''.join(lines)}"


def packages() -> str:
    """Return the table of the versions with which the book was built."""
    found = versions() | {name: version(name) for name in (*DRAWING, *BUILDING)}
    frame = pd.DataFrame([{"package": f"`{name}`", "version": number} for name, number in found.items()])
    return table(
        frame, "Versions of Python and the packages with which this book was built.", "tab-status-versions"
    ).text
