"""Tables of ablations: how far one changed setting moves the held-out loss of a base, factor by factor."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import pandas as pd

from semalign.book.markdown import Interval, rounded
from semalign.book.tables.controls import difference
from semalign.book.tables.paper import in_order, title
from semalign.book.tables.trainings import training_lines
from semalign.book.tables.transfers import NOT_RUN
from semalign.experiments.profiles import Profile
from semalign.results.pairs import NLL, lines_of, pair_differences
from semalign.results.records import PAPER
from semalign.results.statistics import ALPHA
from semalign.targets.pairing import LayerMap

BASES = {"literal": PAPER, "both": "both", "alone": "alone", "inner": "inner"}
"""The entry behind each base; a variant of one begins with its name."""


class Factor(NamedTuple):
    """A factor: its title, and the settings by which a variant is known to change it."""

    title: str
    settings: frozenset[str]


ATTRIBUTIONS = ("attribution", "attribution_method", "attribution_interface")
FACTORS = {
    "layers": Factor("number of layers", frozenset({"student_layers"})),
    "map": Factor("map", frozenset({"map"})),
    "strength": Factor("strength of decomposition", frozenset({"top_atoms", "temperature", "atoms"})),
    "weight": Factor("weight of the layer term", frozenset({"layer_weight"})),
    "interface": Factor("granularity", frozenset({"interface"})),
    "pairing": Factor("pairing", frozenset({"teacher_layer", "student_layer", "interpolate", *ATTRIBUTIONS})),
    "regime": Factor("training rows", frozenset({"train_size", "epochs", "responses", "output_loss"})),
    "reading": Factor("readings of the text", frozenset({"fold_norm", "centre_targets", "positions"})),
}
"""The factors; of several that a variant could belong to it belongs to the first."""


class Change(NamedTuple):
    """A variant: the base that it belongs to, the factor that it changes, and its value of it."""

    entry: str
    base: str
    factor: str
    value: str


def changes(profile: Profile) -> list[Change]:
    """Return the variants of a profile that change one factor of a base, in the order of the profile.

    Raises:
        ValueError: for a variant that changes no factor.
    """
    found = []
    for entry in profile.variants:
        base, _, value = entry.partition("-")
        if value and base in BASES:
            found.append(Change(entry, base, _factor(profile, entry, BASES[base]), value.replace("-", " ")))
    return found


def _factor(profile: Profile, entry: str, base: str) -> str:
    task = next(iter(profile.tasks))
    method = profile.method_of(entry)
    ours, theirs = (method.settings(**profile.settings_for(task, name)).model_dump() for name in (entry, base))
    changed = {key for key in ours if ours[key] != theirs[key]}
    for name, factor in FACTORS.items():
        if changed & factor.settings:
            return name
    raise ValueError(f"variant {entry!r} of profile {profile.name} changes no factor of {base!r}")


def compared(profile: Profile, records: pd.DataFrame, further: Iterable[tuple[str, str]] = ()) -> pd.DataFrame:
    """Return the held-out losses of all entries that are compared: the lines of ``pair_differences``.

    Its correction is then over all comparisons of a student, so that no table has one of its own.

    Args:
        profile: the profile.
        records: its current records, see :func:`semalign.results.records.read_records`.
        further: pairs besides each change and its base; those of entries that the profile does not have are left out.
    """
    pairs = [(change.entry, BASES[change.base]) for change in changes(profile)]
    known = {PAPER, *profile.variants}
    pairs += [pair for pair in further if known.issuperset(pair)]
    return pair_differences(records, list(dict.fromkeys(pairs)), NLL)


def ablation_data(profile: Profile, lines: pd.DataFrame) -> pd.DataFrame:
    """Return what each change does to the held-out loss: its lines with base, factor and value.

    Args:
        profile: the profile.
        lines: see :func:`compared`.
    """
    found = {(change.entry, BASES[change.base]): change for change in changes(profile)}
    made = lines_of(lines, found).rename(columns={"ours": "entry"})
    of = [found[pair] for pair in zip(made["entry"], made["minus"], strict=True)]
    return made.assign(**{column: [getattr(each, column) for each in of] for column in ("base", "factor", "value")})


def base_table(profile: Profile, records: pd.DataFrame, before: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Return the held-out loss of each base that a profile has, and its change, columns for each task.

    Args:
        profile: the profile.
        records: its current records.
        before: the NLL of each held-out row by the student as it is, for each task with a record.
    """
    entries = {name: entry for name, entry in BASES.items() if entry == PAPER or entry in profile.variants}
    lines = training_lines(profile, records, list(entries.values()), before)
    found = {(line["task"], line["entry"]): line for _, line in lines.iterrows()}
    table = []
    for name, entry in entries.items():
        line: dict[str, object] = {"starting point": f"`{name}`"}
        for task in profile.tasks:
            line |= {f"{title(task)}, {what}": cell for what, cell in _of_base(found.get((task, entry))).items()}
        table.append(line)
    return pd.DataFrame(table)


def _of_base(line: pd.Series | None) -> dict[str, str | Interval]:
    if line is None:
        return {"before": NOT_RUN, "after": NOT_RUN, "change": NOT_RUN}
    change = Interval(line["change"], line["change_low"], line["change_high"], signed=True, decimals=4)
    before, after = (Interval(line[name], decimals=4) for name in ("nll_before", "nll"))
    return {"before": before, "after": after, "change": change}


def factor_table(profile: Profile, lines: pd.DataFrame, factor: str) -> pd.DataFrame:
    """Return one factor: a line for each benchmark and value, a column for each base, bold where p is below 0.05.

    A benchmark of which nothing was run has no lines, unless that holds for all of them; nor has a value that no base
    is tried with on the benchmark.

    Args:
        profile: the profile.
        lines: see :func:`ablation_data`.
        factor: one of :data:`FACTORS`.
    """
    of_factor = [change for change in changes(profile) if change.factor == factor]
    found = {(line["task"], line["entry"]): line for _, line in lines.iterrows()}
    tasks = [task for task in profile.tasks if (lines["task"] == task).any()] or list(profile.tasks)
    table = []
    for task, value in product(tasks, dict.fromkeys(change.value for change in of_factor)):
        cells: dict[str, str | Interval] = dict.fromkeys((change.base for change in of_factor), "")
        tried = [change for change in of_factor if change.value == value and profile.teachers_for(task, change.entry)]
        cells |= {change.base: difference_cell(found.get((task, change.entry))) for change in tried}
        if tried:
            table.append({"benchmark": title(task), FACTORS[factor].title: value, **cells})
    return pd.DataFrame(table)


def difference_cell(line: pd.Series | None) -> str | Interval:
    """Return a line of ``pair_differences`` as a cell, bold where p is below 0.05; without a line it was not run."""
    return NOT_RUN if line is None else difference(line, 4)


def pairs_of(profile: Profile, similarity: pd.DataFrame, base: str = "inner") -> str:
    """Return in a sentence which teacher layer the formula gives a base's student layer, and which is most like it.

    Args:
        profile: the profile.
        similarity: CKA of the layer outputs before training; the CSV of ``semalign cka``.
        base: the base.
    """
    k = profile.settings_for(next(iter(profile.tasks)), BASES[base])["student_layer"]
    plain = (similarity["condition"] == "before") & (similarity["states"] == "raw") & (similarity["kernel"] == "linear")
    formula = LayerMap(int(similarity["teacher_layer"].max()), int(similarity["student_layer"].max()))
    column = similarity[plain & (similarity["student_layer"] == k)].set_index("teacher_layer")["cka"]
    return (
        f"Around `{base}`, student layer {k} has teacher layer {formula[k]} by the formula, and is most similar to "
        f"teacher layer {column.idxmax()} by linear CKA ({column.max():.3f}, against {column[formula[k]]:.3f})"
    )


def reading(lines: pd.DataFrame, factor: str) -> str:
    """Return a list, in Markdown, of the values of a factor that lower and raise the loss, by task and base.

    A value that does neither has a corrected p of at least 0.05; of values with one seed only their number is said.

    Args:
        lines: see :func:`ablation_data`.
        factor: one of :data:`FACTORS`.
    """
    texts = []
    chosen = lines[lines["factor"] == factor].sort_values("task", key=in_order, kind="stable")
    for (task, base), part in chosen.groupby(["task", "base"], sort=False):
        part = part.sort_values("difference")
        clear = part["p_holm"] < ALPHA
        sides = {
            "lower with": part[clear & (part["difference"] < 0)],
            "higher with": part[clear & (part["difference"] > 0)],
        }
        said = [f"{side} {_named(found)}" for side, found in sides.items() if len(found)]
        single = int(part["single"].sum())
        if open_ones := int((~clear).sum()) - single:
            said.append(f"neither clearly lower nor higher with {'the other ' if said else 'any of '}{open_ones}")
        said += [f"not known with {single}, which have one seed"] if single else []
        texts.append(f"- {title(task)}, around `{base}`, the loss is {'; '.join(said)}.")
    return "\n".join(texts) or f"*{NOT_RUN}*"


def _named(lines: pd.DataFrame) -> str:
    return ", ".join(f"{line['value']} ({rounded(line['difference'], 4):+.4f})" for _, line in lines.iterrows())
