"""Why steps fall short: bounds counted by hand, and a reason for every step on record that does."""

import pytest
from helpers.speed import speed_record

from semalign.book.tables.speed import speed_records
from semalign.book.tables.speed_reasons import map_bound, teacher_share, transfer_bound, why
from semalign.book.tables.speed_remarks import shortfalls
from semalign.paths import results_dir


def test_the_bound_of_a_map_is_the_share_of_its_bases():
    # In V D^2 with V = 8 D: two bases of 3 + 1/8, and 2 for the product.
    assert map_bound({"vocabulary": 32_768, "width": 4_096}) == pytest.approx(6.25 / 8.25)


def test_the_bound_of_a_transfer_is_counted_in_parameters():
    size = {"vocabulary": 100, "width": 24, "layers": 4}
    student, teacher = 4 * 24**2 + 3 * 24 * 64, 4 * 32**2 + 3 * 32 * 80  # a layer
    whole = 2 * (5 * teacher + 100 * 32 + 4 * student + 100 * 24)
    last = whole + 2 * (student + 100 * 24)
    assert transfer_bound(size, 1.0) == pytest.approx(last / (2 * (5 * teacher + 3 * student) / 5 + 4 * student))
    first = whole + 2 * (4 * student + 100 * 24)
    assert transfer_bound(size, 0.0) == pytest.approx(first / (2 * teacher / 5 + 16 * student))


def test_the_share_of_the_teacher_is_that_of_its_forward_pass():
    size = {"vocabulary": 100, "width": 24, "layers": 4}
    student, teacher = 4 * 24**2 + 3 * 24 * 64, 4 * 32**2 + 3 * 32 * 80  # a layer
    forward = 5 * teacher + 100 * 32
    assert teacher_share(size, 1.0) == pytest.approx(forward / (forward + 5 * student + 2 * 100 * 24))


def test_a_reason_has_the_numbers_of_its_record():
    size = speed_record()["details"]["sizes"][-1]
    assert why("basis", size).startswith("Products of rows take 50% of the time")
    assert "A program takes 20.0 ms here and 60.0 ms there" in why("sandbox", size | {"size": {"programs": 100}})
    assert "An example takes 20000 microseconds here" in why("states_read", size | {"size": {"rows": 100}})
    assert "Its peak is 200 MB and the peer's 200 MB" in why("seeking", size)
    shape = size | {"size": {"vocabulary": 100, "width": 24, "layers": 4}}
    assert "the operations of ours would take 50% of its time" in why("transfer_last", shape)
    assert "would take" not in why("transfer_last", shape | {"limit": None})
    assert why("nothing", size) == "not explained yet"


def test_every_step_on_record_that_falls_short_on_a_cpu_has_a_reason():
    lines = shortfalls(speed_records(results_dir() / "bench" / "cpu"))
    assert lines and not [line for line in lines if "not explained" in line]
