"""A plain verdict of a diagnosis: can alignment carry anything, where, and what to run instead."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from semalign.analysis.diagnosis.atoms import Correspondence
from semalign.analysis.diagnosis.maps import CONTROL, control_of, is_control
from semalign.analysis.diagnosis.maps import PAPER_MAP as METHOD

LABELS = "`semalign transfer ... --method cross-entropy`, or `--method sft` for all layers"


def verdict(
    atoms: Correspondence,
    readings: pd.DataFrame,
    patches: pd.DataFrame,
    settings: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return the verdict in sentences, made of the numbers of a diagnosis.

    Alignment *carries* something at a place if the states that the paper's map aligns lower the NLL there, and are
    better than those with permuted atoms and than zero, all with 95% intervals that exclude zero.

    Args:
        atoms: correspondence of the unit atoms.
        readings: see :func:`semalign.analysis.diagnosis.diagnosing.diagnose`.
        patches: see :func:`semalign.analysis.diagnosis.diagnosing.diagnose`.
        settings: settings of the diagnosis that change what a transfer does, which the advice repeats.
    """
    return [_of_atoms(atoms), _of_readings(readings), _of_patches(patches), _advice(patches, settings or {})]


def carrying(patches: pd.DataFrame) -> pd.DataFrame:
    """Return the places where alignment carries something, as :func:`verdict` has it: the lines of the paper's map.

    Args:
        patches: see :func:`semalign.analysis.diagnosis.diagnosing.diagnose`.
    """
    return helpful(patches[patches["map"] == METHOD])


def helpful(patches: pd.DataFrame) -> pd.DataFrame:
    """Return the lines whose intervals are below the student's own states, below the map's control and below zero.

    Args:
        patches: see :func:`semalign.analysis.diagnosis.diagnosing.diagnose`.
    """
    bounds = patches[["change_high", "against_control_high", "against_zero_high"]]
    return patches[(bounds < 0).all(axis=1)]


def _of_atoms(atoms: Correspondence) -> str:
    chance = f"random pairs {atoms.permuted:.3f} [{atoms.low:.3f}, {atoms.high:.3f}]"
    if not atoms.holds:
        return f"Atoms do not correspond: CKA {atoms.aligned:.3f}, {chance}."
    return f"Atoms correspond more than chance: CKA {atoms.aligned:.3f} of 1, {chance}."


def _of_readings(readings: pd.DataFrame) -> str:
    targets = readings[readings["read"] == "target"]
    best = targets.loc[targets[targets["map"] == METHOD]["top_1"].idxmax()]
    same = targets[targets["layer"] == best["layer"]].set_index("map")["top_1"]
    others = same[[name != METHOD and not is_control(name) for name in same.index]]
    parts = [f"aligned states of teacher layer {best['layer']} in {best['top_1']:.1%} of the positions"]
    if CONTROL in same:
        parts.append(f"those with permuted atoms in {same[CONTROL]:.1%}")
    if len(others):
        parts.append(f"those of the best other map, {others.idxmax()}, in {others.max():.1%}")
    own = readings[readings["map"] == "student"]["top_1"].iloc[-1]
    first = f"Read by the student's head, the teacher's next token is first in {', '.join(parts)}"
    return f"{first}; in the student's own in {own:.1%}."


def _of_patches(patches: pd.DataFrame) -> str:
    ours = patches[patches["map"] == METHOD]
    better = ours[ours["against_control_high"] < 0]
    good = carrying(patches)
    if len(good):
        places = "; ".join(_place(line) for _, line in good.iterrows())
        return (
            f"Alignment can carry something: aligned states in place of the student's own lower its NLL {places}. "
            f"{'This is' if len(good) == 1 else 'These are'} {len(good)} of the {len(ours)} places that were tried; "
            "intervals are not corrected for that number."
        )
    if better.empty:
        return "Aligned states are no better than permuted ones at any layer: real atoms carry nothing here."
    least = better.loc[better["change"].idxmin()]
    than_zero = "lower" if least["against_zero_high"] < 0 else "not clearly lower"
    return (
        f"Aligned states are better than permuted ones at {_layers(better['layer'])}, but nowhere clearly better than "
        f"the student's own. The lowest change of the NLL there is {least['change']:+.4f} nats, at layer "
        f"{least['layer']} with strength {least['strength']:g}, {than_zero} than with zero in their place."
    )


def _advice(patches: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    tried = patches[~patches["map"].map(is_control)]
    shown = helpful(tried)
    if shown.empty:
        return (
            "What to run: no map is shown to lower the NLL before training, and by more than its control and zero do, "
            f"so take labels ({LABELS})."
        )
    best = shown.loc[shown["change"].idxmin()]
    place = {"interface": best["interface"], "student_layer": best["layer"], "teacher_layer": best["teacher_layer"]}
    given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in settings.items()}
    where = " ".join(f"-s {name}={value}" for name, value in {**place, **given}.items())
    control = control_of(best["map"], set(patches["map"]))
    return (
        f"What to run: labels alone ({LABELS}), and `semalign transfer ... -s output_loss=cross_entropy -s "
        f"map={best['map']} {where}`, which adds aligned states to labels. In place of the student's own, these states "
        f"lower the NLL {_place(best)}, the most of the {len(shown)} that are shown to, of {len(tried)} maps, layers "
        "and strengths that were tried; intervals are not corrected for that number. The map adds something if it does "
        f"better than labels alone, and than its control, `-s map={control}`."
    )


def _place(line: pd.Series) -> str:
    return (
        f"by {-line['change']:.4f} nats at layer {line['layer']} with strength {line['strength']:g} "
        f"[{line['change_low']:+.4f}, {line['change_high']:+.4f}]"
    )


def _layers(layers: pd.Series) -> str:
    found = sorted(set(layers))
    return ("layers " if len(found) > 1 else "layer ") + ", ".join(map(str, found))
