"""Rules on hidden states: decomposition (Fig. 2), correspondence of atoms, and similarity of layers (Fig. 4, 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

from semalign.book.claims.evidence import records_of
from semalign.book.claims.rules import rule
from semalign.book.claims.verdicts import NOT, PARTLY, REPRODUCED, Finding, NotRunError, combined
from semalign.book.tables.paper import TITLES, title
from semalign.book.tables.premise import first_of_pairs

Record = Mapping[str, Any]
LAYER = "layer"  # the interface of Fig. 2: layer outputs


@rule
def parallel(patterns: Sequence[str], *, mark: float, partly: float) -> Finding:
    """Reproduced if states and their recombined components have a cosine of at least ``mark`` at every layer.

    In part if at least ``partly`` at every layer. Output-side bases, layer outputs.
    """
    record = _only(patterns)
    found, expected = _cosines(record, "output"), record["details"]["bases"]["output"]["isotropic_cosine"]
    verdict = REPRODUCED if found["min"] >= mark else PARTLY if found["min"] >= partly else NOT
    return Finding(verdict, {**found, "expected": expected, "tokens": record["n"], "mark": mark, "partly": partly})


@rule
def perpendicular(patterns: Sequence[str], *, mark: float) -> Finding:
    """Reproduced if the cosine is at most ``mark`` at every layer for many random vectors and few, in part for one."""
    record = _only(patterns)
    sizes = [name for name in record["details"]["bases"] if name.startswith("random")]
    if not sizes:
        raise NotRunError("no random vectors on record")
    holds = [max(abs(_cosines(record, name)[end]) for end in ("min", "max")) <= mark for name in sizes]
    each = "; ".join(_random_text(record, name) for name in sizes)
    return Finding(REPRODUCED if all(holds) else PARTLY if any(holds) else NOT, {"each": each, "mark": mark})


def _random_text(record: Record, name: str) -> str:
    basis, found = record["details"]["bases"][name], _cosines(record, name)
    return f"{basis['m']:,} random vectors {found['mean']:.2f} (the formula gives {basis['random_basis_cosine']:.2f})"


@rule
def contrast(patterns: Sequence[str], *, mark: float) -> Finding:
    """Reproduced if input-side bases give at most ``mark`` at every layer; in part if less than output-side ones."""
    record = _only(patterns)
    ours, theirs = (_cosines(record, side) for side in ("input", "output"))
    verdict = REPRODUCED if ours["max"] <= mark else PARTLY if ours["max"] < theirs["min"] else NOT
    return Finding(verdict, {**ours, "output": theirs["mean"], "mark": mark})


@rule
def correspondence(patterns: Sequence[str], *, mark: float) -> Finding:
    """Reproduced if the CKA of index-aligned atoms is at least ``mark``; in part if above that of permuted ones."""
    lines, verdicts = [], []
    for record in first_of_pairs(_diagnoses(patterns)):
        atoms, head = (record["details"]["correspondence"][name] for name in ("atoms", "head"))
        verdicts.append(_above(atoms["aligned"], atoms["high"], mark))
        chance = f"permuted {atoms['permuted']:.3f} [{atoms['low']:.3f}, {atoms['high']:.3f}]"
        pair = f"{record['teacher']} → {record['student']}"
        lines.append(f"{pair} {atoms['aligned']:.2f} ({chance}; rows of the heads {head['aligned']:.2f})")
    return Finding(combined(verdicts), {"each": "; ".join(lines), "mark": mark})


@rule
def tokens_kept(patterns: Sequence[str], *, mark: float) -> Finding:
    """Reproduced if targets of the last layer say the teacher's next token in at least ``mark`` of what a state can.

    The share is that of positions where the student's head reads the teacher's top token from the target, over the same
    for the best state of the student's width. In part if its interval is above the share of permuted atoms.
    """
    verdicts: list[str] = []
    pairs: dict[str, list[tuple[str, float, float, float]]] = {}
    for record in _diagnoses(patterns):
        read = {(line["map"], line["layer"]): line for line in record["details"]["readings"]}
        last = max(layer for name, layer in read if name == "semantic")
        ours, permuted = read["semantic", last], read["permuted", last]
        most = next(line for (name, _), line in read.items() if name == "width")["top_1"]
        kept = ours["top_1"] / most if most else 0.0
        verdicts.append(REPRODUCED if kept >= mark else PARTLY if ours["low"] > permuted["high"] else NOT)
        pair = f"{record['teacher']} → {record['student']}"
        pairs.setdefault(pair, []).append((title(record["task"]), ours["top_1"], permuted["top_1"], most))
    return Finding(combined(verdicts), {"each": "; ".join(map(_kept, pairs, pairs.values())), "mark": mark})


def _kept(pair: str, found: Sequence[tuple[str, float, float, float]]) -> str:
    """Return the shares of a pair on each task, of permuted atoms the largest, of best fits the least."""
    in_order = sorted(found, key=lambda line: [*TITLES.values(), line[0]].index(line[0]))
    shares = ", ".join(f"{task} {ours:.1%}" for task, ours, *_ in in_order)
    permuted, most = max(line[2] for line in found), min(line[3] for line in found)
    return f"{pair}: {shares} (permuted at most {permuted:.1%}, the best fit at this width at least {most:.1%})"


@rule
def diagonal(patterns: Sequence[str], *, mark: float) -> Finding:
    """Reproduced if at least ``mark`` of the student's layers are most similar to a teacher layer near their partner.

    In part if their share is above that of two untrained models, not if it is not. Both kernels must agree.
    """
    found, verdicts, lines = _similarities(patterns), [], []
    for kernel in ("linear", "rbf"):
        before, untrained = found["before", kernel], found["untrained", kernel]
        verdicts.append(_above(before["diagonal_share"], untrained["diagonal_share"], mark))
        lines.append(
            f"{kernel} {before['diagonal_share']:.0%} of student layers (untrained {untrained['diagonal_share']:.0%}, "
            f"by chance {before['chance_share']:.0%})"
        )
    return Finding(combined(verdicts), {"each": "; ".join(lines), "mark": mark})


@rule
def invariance(patterns: Sequence[str], *, mark: float) -> Finding:
    """Reproduced if alignment keeps the pattern of similarities, and permuted atoms do not.

    A pattern is kept if its correlation with the one before alignment, with row and column means taken out, is at least
    ``mark``. In part if permuted atoms keep it too, since the meaning of the atoms then plays no part.
    """
    found, verdicts, lines = _similarities(patterns), [], []
    for kernel in ("linear", "rbf"):
        kept, control = (found[name, kernel]["pairing_correlation"] for name in ("after", "permuted"))
        verdicts.append((REPRODUCED if control < mark else PARTLY) if kept >= mark else NOT)
        before, after, permuted = (found[name, kernel] for name in ("before", "after", "permuted"))
        lines.append(
            f"{kernel}: correlation {kept:.2f}, permuted {control:.2f}; mean near the diagonal "
            f"{before['diagonal_mean']:.2f} → {after['diagonal_mean']:.2f}, permuted {permuted['diagonal_mean']:.2f}; "
            f"student layers near it {before['diagonal_share']:.0%} → {after['diagonal_share']:.0%}"
        )
    return Finding(combined(verdicts), {"each": "; ".join(lines), "mark": mark})


def _only(patterns: Sequence[str]) -> Record:
    return records_of(patterns)[0]


def _above(value: float, chance: float, mark: float) -> str:
    if value <= chance:
        return NOT
    return REPRODUCED if value >= mark else PARTLY


def _cosines(record: Record, basis: str) -> dict[str, float]:
    return record["details"]["cosine_over_layers"][basis][LAYER]


def _diagnoses(patterns: Sequence[str]) -> Sequence[Record]:
    found = [record for record in records_of(patterns) if record["method"] == "diagnose"]
    if not found:
        raise NotRunError("no record of a diagnosis")
    return found


def _similarities(patterns: Sequence[str]) -> dict[tuple[str, str], Record]:
    """Return the lines of the summary of a CKA record for states as they are, by condition and kernel."""
    lines = _only(patterns)["details"]["summary"]
    return {(line["condition"], line["kernel"]): line for line in lines if line["states"] == "raw"}
