"""What the records of speed say in words: what is compared, when it was measured, and where a step falls short."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from semalign.book.tables.speed import MB, Runs, at_size, megabytes, size_text, sizes_of, times
from semalign.book.tables.speed_reasons import EPOCHS, REASONS, teacher_share, why

BASIS_HEADS = 1.5  # the aim of the memory of a basis, in heads
FLOAT = 4  # bytes of a number in float32


def shortfalls(records: Mapping[str, Runs], explained: bool = True) -> list[str]:
    """Return a line for each step whose slowest run falls short of its mark at some size: where and why it does.

    Args:
        records: the records of one device.
        explained: whether to say why; the reasons are those of a CPU.
    """
    return [line for step, runs in records.items() if (line := _shortfall(step, runs, explained))]


def _shortfall(step: str, runs: Runs, explained: bool) -> str | None:
    settings, measured = runs[-1]["configuration"], [at_size(runs, size) for size in sizes_of(runs)]
    short = [found for found in measured if _ratios(found)[0] < settings["reach"]]
    if not short:
        return None
    missed = [found for found in short if _ratios(found)[-1] < settings["reach"]]
    where = "; ".join(f"{_between(found)} at {size_text(found[0]['size'])}" for found in short)
    line = f"- **{settings['title']}**, to reach {settings['reach']:g}: {where}."
    if not explained:
        return line
    if not missed and step not in REASONS:
        return f"{line} Another run reaches the mark."
    size = (missed or short)[-1][-1]
    line += "" if missed else " Another run reaches the mark."
    of = "" if size["size"] == measured[-1][-1]["size"] else f" Numbers here are those at {size_text(size['size'])}."
    return f"{line} {why(step, size)}{of}"


def _ratios(found: Runs) -> list[float]:
    """Return the ratios of all runs at one size, the smallest first."""
    return sorted(each["ratio"] for each in found)


def _between(found: Runs) -> str:
    low, high = times(_ratios(found)[0]), times(_ratios(found)[-1])
    return low if low == high else f"{low} to {high}"


def origins(records: Mapping[str, Runs]) -> str:
    """Return the commit and the day of each run, and the steps of a run that were measured at another commit."""
    every = pd.DataFrame([_origin(record) for runs in records.values() for record in runs])
    return " ".join(f"Run {run} is of {_origins(part)}." for run, part in every.groupby("run"))


def _origin(record: Mapping[str, Any]) -> dict[str, Any]:
    origin = f"commit {(record['commit'] or 'unknown')[:7]} ({record['created'][:10]})"
    return {"run": record["seed"], "origin": origin, "title": record["configuration"]["title"]}


def _origins(part: pd.DataFrame) -> str:
    first, *others = part["origin"].value_counts().index
    titles = part.groupby("origin")["title"].agg("; ".join)
    return "; ".join([first, *(f"of {origin}: {titles[origin]}" for origin in others)])


def run_once(records: Mapping[str, Runs]) -> str:
    """Return a sentence on the steps that ran once at their largest size, and so have no spread within a run."""
    last = {runs[-1]["configuration"]["title"]: runs[-1]["details"]["sizes"][-1] for runs in records.values()}
    once = [title for title, size in last.items() if size["ours"]["rounds"] == 1]
    if not once:
        return ""
    said = f"Of the {len(last)} steps, {len(once)} ran once at the size shown, and their spread is that between runs"
    return f"{said}: {'; '.join(once)}."


def compared(records: Mapping[str, Runs]) -> list[str]:
    """Return lines with what is compared and what is in memory; steps of which the same is said share a line."""
    titles: dict[str, list[str]] = {}
    for step, runs in records.items():
        settings, sizes = runs[-1]["configuration"], runs[-1]["details"]["sizes"]
        said = " ".join(filter(None, [settings["says"], REMARKS[step](sizes) if step in REMARKS else ""]))
        titles.setdefault(said, []).append(settings["title"])
    return [f"- **{'; '.join(of)}**: {said}" for said, of in titles.items() if said]


def _basis(sizes: Runs) -> str:
    size = sizes[-1]["size"]
    heads = megabytes(sizes[-1]["ours"]) * MB / (FLOAT * size["vocabulary"] * size["width"])
    reached = "reached" if heads <= BASIS_HEADS else "not reached"
    return (
        f"The peak is {heads:.2f} times the memory of the head, besides the head; the vectors are one of these times. "
        f"The aim was half a head besides them, {BASIS_HEADS}, and is {reached}."
    )


def _cka(sizes: Runs) -> str:
    pair = _grown(sizes, "tokens")
    if pair is None:
        return ""
    few, many = pair
    return (
        f"With {few['size']['layers']} layers the peak is {megabytes(few['ours']):.0f} MB for "
        f"{few['size']['tokens']:,} tokens and {megabytes(many['ours']):.0f} MB for {many['size']['tokens']:,}: "
        "the products of one block are there, of all layers. The peer has those of two layers "
        f"({megabytes(many['peer']):.0f} MB)."
    )


def _targets(sizes: Runs) -> str:
    pair = _grown(sizes, "vocabulary")
    if pair is None:
        return ""
    few, many = pair
    return (
        f"From {few['size']['vocabulary']:,} atoms to {many['size']['vocabulary']:,} the peak goes from "
        f"{megabytes(few['ours']):.0f} to {megabytes(many['ours']):.0f} MB, and that of the peer from "
        f"{megabytes(few['peer']):.0f} to {megabytes(many['peer']):.0f} MB."
    )


def _grown(sizes: Runs, key: str) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Return the last two sizes that differ in one number alone; None where there are none."""
    pairs = [(a, b) for i, a in enumerate(sizes) for b in sizes[i + 1 :] if _differ(a["size"], b["size"]) == [key]]
    return pairs[-1] if pairs else None


def _differ(a: Mapping[str, int], b: Mapping[str, int]) -> list[str]:
    return [name for name in a if a[name] != b[name]]


def _output_kl(sizes: Runs) -> str:
    last = sizes[-1]
    return (
        f"With {last['size']['positions']:,} positions the peak is {megabytes(last['ours']):.0f} MB, and "
        f"{megabytes(last['peer']):.0f} MB for the peer."
    )


def _output_cross_entropy(sizes: Runs) -> str:
    return (
        f"{_output_kl(sizes)} The mark, here and for KL, is one and not that of the output cosine: the cosine has a "
        "form without logits, and these losses need them. Why no kernel of Liger or cut-cross-entropy is used stands "
        "in [Decisions](#decisions-logits-in-parts)."
    )


def _transfer_first(sizes: Runs) -> str:
    share = teacher_share(sizes[-1]["size"], 0.0)
    return (
        f"The teacher's pass has {share:.0%} of the operations of the loop. Made once instead of in {EPOCHS} epochs, "
        f"it would leave a ratio of {1 / (1 - share * (1 - 1 / EPOCHS)):.1f}; the mark is a little below."
    )


REMARKS: Mapping[str, Callable[[Runs], str]] = {
    "basis": _basis,
    "cka": _cka,
    "output_cross_entropy": _output_cross_entropy,
    "output_kl": _output_kl,
    "targets": _targets,
    "transfer_first": _transfer_first,
}
