"""What is said of records of speed, from records made by hand."""

from helpers.speed import speed_record

from semalign.book.tables.speed_reasons import why
from semalign.book.tables.speed_remarks import compared, origins, run_once, shortfalls

SIZES = "2.00 at vocabulary 1,000, width 64; 2.00 at vocabulary 2,000, width 64"


def test_every_size_that_falls_short_is_named_with_the_reason():
    record = speed_record(1, 2.0, "output_kl")
    reason = why("output_kl", record["details"]["sizes"][-1])
    assert shortfalls({"output_kl": [record]}) == [f"- **The output_kl**, to reach 2.5: {SIZES}. {reason}"]
    record["details"]["sizes"][-1]["ratio"] = 3.0
    assert shortfalls({"output_kl": [record]})[0].startswith(
        "- **The output_kl**, to reach 2.5: 2.00 at vocabulary 1,000,"
    )
    assert "2,000" not in shortfalls({"output_kl": [record]})[0]
    assert shortfalls({"states": [speed_record(1, 2.0, "states")]})[0].endswith("not explained yet")
    assert shortfalls({"states": [speed_record(1, 2.5, "states")]}) == []


def test_where_another_run_reaches_the_mark_the_line_says_so():
    runs = [speed_record(1, 1.5, "states"), speed_record(2, 3.0, "states")]
    (line,) = shortfalls({"states": runs})
    assert line.startswith("- **The states**, to reach 2.5: 1.50 to 3.00 at") and line.endswith("reaches the mark.")
    explained = [speed_record(1, 1.5, "output_kl"), speed_record(2, 3.0, "output_kl")]
    (line,) = shortfalls({"output_kl": explained})
    reason = why("output_kl", explained[-1]["details"]["sizes"][-1])
    assert line.endswith(f". Another run reaches the mark. {reason}")


def test_each_run_has_its_commit_and_the_steps_of_another_one():
    records = {name: [speed_record(1, name=name), speed_record(2, name=name)] for name in ("basis", "gram", "cka")}
    records["cka"][1] |= {"commit": "fedcba987654", "created": "2026-02-02T00:00:00+00:00"}
    assert origins(records) == (
        "Run 1 is of commit 0123456 (2026-01-01). "
        "Run 2 is of commit 0123456 (2026-01-01); of commit fedcba9 (2026-02-02): The cka."
    )


def test_steps_that_ran_once_are_named():
    records = {name: [speed_record(name=name)] for name in ("basis", "gram")}
    assert run_once(records) == ""
    records["gram"][0]["details"]["sizes"][-1]["ours"]["rounds"] = 1
    assert run_once(records).startswith("Of the 2 steps, 1 ran once") and run_once(records).endswith(": The gram.")


def test_what_is_compared_is_said_once_for_steps_that_share_it():
    records = {name: [speed_record(name=name)] for name in ("states", "sandbox", "gram")}
    for name in ("states", "sandbox"):
        records[name][0]["configuration"]["says"] = "The same."
    assert compared(records) == ["- **The states; The sandbox**: The same."]


def test_memory_of_a_basis_is_counted_in_heads():
    (line,) = compared({"basis": [speed_record(memory=1_024_000)]})  # a head of 2,000 x 64 takes half of that
    assert "The peak is 2.00 times the memory of the head" in line and "1.5, and is not reached." in line
    (line,) = compared({"basis": [speed_record(memory=512_000)]})
    assert "1.5, and is reached." in line


def test_memory_is_compared_between_sizes_that_differ_in_one_number():
    (line,) = compared({"targets": [speed_record(name="targets", memory=2_000_000)]})
    assert line.startswith("- **The targets**: From 1,000 atoms to 2,000 the peak goes from 2 to 2 MB, and that of")
    record = speed_record(name="targets")
    record["details"]["sizes"][0]["size"]["width"] = 32
    assert compared({"targets": [record]}) == []
