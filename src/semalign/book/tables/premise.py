"""Tables of the premise that atoms correspond: what `semalign diagnose` found for several pairs of models."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.analysis.diagnosis.atoms import Correspondence
from semalign.analysis.diagnosis.maps import CONTROL
from semalign.analysis.diagnosis.pictures import NAMES, name_of
from semalign.analysis.diagnosis.settings import repeated
from semalign.analysis.diagnosis.verdict import METHOD, carrying, verdict
from semalign.book.markdown import Cell, Interval, nested_list
from semalign.book.tables.analyses import layers
from semalign.book.tables.paper import in_order, title
from semalign.results.records import read_record

Record = Mapping[str, Any]
OWN, WIDTH = "student's own", "best fit at its width"


def diagnoses(folder: Path) -> list[dict[str, Any]]:
    """Return the records of diagnoses in a folder, those whose atoms correspond most first, by the paper's tasks."""
    found = [read_record(path) for path in sorted(folder.glob("*.json"))]
    kept = pd.Series([record for record in found if record["method"] == "diagnose"], dtype=object)
    tasks = pd.Series([record["task"] for record in kept], dtype=object)
    return sorted(kept[tasks.sort_values(key=in_order, kind="stable").index], key=lambda record: -record["value"])


def on_benchmark(records: Sequence[Record], name: str) -> list[Record]:
    """Return the records on a benchmark of this title, published or micro."""
    return [record for record in records if title(record["task"]) == name]


def pair_name(record: Record) -> str:
    """Return teacher, student and data of a record as one text."""
    return f"{record['teacher']} → {record['student']}, {title(record['task'])}"


def first_of_pairs(records: Sequence[Record]) -> list[Record]:
    """Return one record of each pair of models, since atoms and maps of the models depend on no data."""
    return list({(record["teacher"], record["student"]): record for record in reversed(records)}.values())[::-1]


def correspondence_table(records: Sequence[Record]) -> pd.DataFrame:
    """Return for each pair how far atoms and head rows correspond, and how the map's energy is spread.

    The share of tokens is that of the first data set, on the side where fewer of the tokens have a shared atom.
    """
    lines = []
    for record in first_of_pairs(records):
        details = record["details"]
        semantic, atoms = details["energy"]["semantic"], details["correspondence"]["atoms"]
        sides = details["vocabulary"]
        lines.append(
            {
                "teacher": record["teacher"],
                "student": record["student"],
                "shared atoms": details["vocabulary"]["shared"],
                "of the tokens, %": Interval(100 * min(sides[side]["coverage"] for side in ("teacher", "student"))),
                "CKA of atoms": atoms["aligned"],
                "at random": Interval(atoms["permuted"], atoms["low"], atoms["high"], decimals=3),
                "CKA of head rows": details["correspondence"]["head"]["aligned"],
                "first direction": semantic["first"],
                "directions": semantic["directions"],
            }
        )
    return pd.DataFrame(lines)


def reading_table(records: Sequence[Record], measure: str = "top_1") -> pd.DataFrame:
    """Return what the student's head reads, beside the teacher's next token, by pair and map.

    Targets are those of the teacher's last layer; the last two columns are the student's own states, and the
    teacher's logits in the best approximation of the student's width.

    Args:
        records: diagnoses.
        measure: ``top_1`` or ``top_5``, how often the teacher's next token is the first that is read, or one of the
            first five, in percent of positions; or ``kl``, the mean Kullback-Leibler divergence of what is read from
            the teacher's prediction, in nats per position.
    """
    lines = []
    for record in records:
        readings = pd.DataFrame(record["details"]["readings"])
        targets = readings[readings["read"] == "target"]  # the other lines may be of a student with more layers
        last = targets[targets["layer"] == targets["layer"].max()]
        shown = {name_of(str(line["map"])): line for _, line in last.iterrows()}
        shown |= {OWN: readings[readings["map"] == "student"].iloc[-1]}
        shown |= {WIDTH: readings[readings["map"] == "width"].iloc[-1]}
        lines.append({"pair": pair_name(record), **{name: _read(name, line, measure) for name, line in shown.items()}})
    return pd.DataFrame(lines)


def _read(name: str, line: pd.Series, measure: str) -> Cell | float:
    """Return one reading; the data have the interval of ``top_1`` too."""
    if measure != "top_1":
        return line[measure] * (1 if measure == "kl" else 100)
    share, low, high = (100 * line[end] for end in (measure, "low", "high"))
    return Cell(f"{share:.1f}", {name: share, f"{name}, low": low, f"{name}, high": high})


def norm_table(records: Sequence[Record]) -> pd.DataFrame:
    """Return for diagnoses of one pair, without and with the weights of the final norm in its heads, what is read.

    Columns are the CKA of atoms, in percent too, and those of :func:`reading_table`.
    """
    readings = reading_table(records).drop(columns="pair")
    heads = ["folded in" if record["configuration"]["fold_norm"] else "left out" for record in records]
    readings.insert(0, "CKA of atoms", [100 * record["value"] for record in records])
    readings.insert(0, "weights of the norm", heads)
    return readings


def patch_table(records: Sequence[Record], name: str = "semantic") -> pd.DataFrame:
    """Return for each pair the place where targets of a map, in place of the student's states, serve it best.

    Changes of the response NLL are in nats per token, with paired 95% intervals over rows; below zero is better.
    """
    lines = []
    for record in records:
        patches = pd.DataFrame(record["details"]["patches"])
        ours = patches[patches["map"] == name]
        if ours.empty:
            continue
        best = ours.loc[ours["change"].idxmin()]
        lines.append(
            {
                "pair": pair_name(record),
                "layer": layers(int(best["teacher_layer"]), int(best["layer"])),
                "strength": f"{best['strength']:g}",
                "against its own": _change(best, "change"),
                "against permuted": _change(best, "against_control"),
                "against zero": _change(best, "against_zero"),
            }
        )
    return pd.DataFrame(lines)


def _change(line: pd.Series, name: str) -> str | Interval:
    if name not in line or pd.isna(line[name]):
        return ""
    return Interval(line[name], line[f"{name}_low"], line[f"{name}_high"], signed=True, decimals=4)


def findings(records: Sequence[Record]) -> str:
    """Return what the diagnoses of each pair show over all its data, as a nested list in Markdown."""
    return nested_list({pair: _findings(of) for pair, of in _by_pair(records).items()})


def _by_pair(records: Sequence[Record]) -> dict[str, list[Record]]:
    pairs: dict[str, list[Record]] = {}
    for record in records:
        pairs.setdefault(f"{record['teacher']} → {record['student']}", []).append(record)
    return pairs


def _findings(records: Sequence[Record]) -> list[str]:
    atoms, readings = correspondence_table(records).iloc[0], reading_table(records)
    patches = [pd.DataFrame(record["details"]["patches"]) for record in records]
    places = [(len(carrying(each)), int((each["map"] == METHOD).sum())) for each in patches]
    good, tried = map(sum, zip(*places, strict=True))
    return [
        f"Atoms: CKA {atoms['CKA of atoms']:.2f}, at random {atoms['at random'].value:.2f}.",
        f"The teacher's next token is read first from {_range(readings[NAMES[METHOD]])} of the aligned states of the "
        f"last layer, from {_range(readings[NAMES[CONTROL]])} with permuted atoms, and from {_range(readings[OWN])} of "
        "the student's own states.",
        f"In place of the student's own, aligned states lower the response NLL, and do better than permuted atoms and "
        f"zero, at {good} of {tried} places, on {sum(found > 0 for found, _ in places)} of {len(records)} data sets "
        "(95% intervals, not corrected for the number of places).",
    ]


def _range(shares: pd.Series) -> str:
    values = [cell.data[shares.name] for cell in shares]
    ends = dict.fromkeys(f"{end:.0f}" for end in (min(values), max(values)))
    return f"{'–'.join(ends)}%"


def verdicts(records: Sequence[Record]) -> dict[str, str]:
    """Return for each pair of models the verdicts on its data, made from the numbers, as a nested list in Markdown."""
    return {
        pair: nested_list({title(record["task"]): _verdict(record) for record in of})
        for pair, of in _by_pair(records).items()
    }


def _verdict(record: Record) -> list[str]:
    details = record["details"]
    atoms = Correspondence(**details["correspondence"]["atoms"])
    readings, patches = pd.DataFrame(details["readings"]), pd.DataFrame(details["patches"])
    return verdict(atoms, readings, patches, repeated(record["configuration"]))


def measured(records: Sequence[Record], what: str) -> pd.DataFrame:
    """Return the readings or patches of all records as one frame, with teacher, student and task of each line."""
    named = ["teacher", "student", "task"]
    parts = [
        pd.DataFrame(record["details"][what]).assign(**{name: record[name] for name in named}) for record in records
    ]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=named)
    return frame[[*named, *frame.columns.drop(named)]]


def file_of(record: Record) -> str:
    """Return the name of a diagnosis's file."""
    return f"{record['teacher']}--{record['student']}--{record['task']}.json"
