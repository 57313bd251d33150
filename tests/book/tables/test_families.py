"""The table of transfers between two families, from records made by hand."""

from pathlib import Path

from semalign.book.markdown import Interval
from semalign.book.tables.families import family_records, family_table


def change(value):
    return Interval(value, value, value, signed=True, decimals=4)


def record(nll, seconds=10.0, peak=3 * 2**30, **more):
    details = {"row_nll": nll, "cpu_seconds": seconds, "peak_memory_bytes": peak, **more}
    return {"value": sum(nll) / len(nll), "details": details}


def test_differences_are_paired_over_rows():
    records = {
        ("gsm8k", "none"): [record([1.0, 3.0])],
        ("gsm8k", "semalign"): [
            record([0.5, 2.5], weight_change=0.01),
            record([0.5, 2.5], 20.0, 4 * 2**30, weight_change=0.03),
        ],
        ("gsm8k", "permuted-atoms"): [record([1.25, 3.25])],
        ("gsm8k", "logit-kl"): [],
    }
    before, ours, permuted, kl = (line for _, line in family_table(records).iterrows())
    assert before.tolist() == ["GSM8K", "the student before", "2.0000", "", "", "", "", "", ""]
    assert ours.tolist() == [
        "GSM8K", "the paper's, shared atoms by bytes", "1.5000", "2", change(-0.5), change(-0.75), "2.00", "15", "4.0",
    ]  # fmt: skip
    assert permuted["against before"] == change(0.25) and permuted["against permuted"] == ""
    assert permuted["weights, %"] == ""  # its record lacks the change
    assert kl["NLL"] == "not run" and kl["seeds"] == ""


def test_what_was_not_run_has_no_records():
    found = family_records(Path("/nowhere"))
    assert len(found) == 10 and not any(found.values())
    assert set(family_table(found)["NLL"]) == {"not run"}
