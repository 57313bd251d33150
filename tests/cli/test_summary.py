"""The end of a transfer, in a few lines."""

from pathlib import Path

from semalign.cli.summary import summary_lines

RECORD = {
    "method": "semalign",
    "losses": [{"layer": 1.0, "output": 0.5}] * 5,
    "seconds": 12.3,
    "details": {
        "teacher_layers": [[7, 0.5], [8, 0.5]],
        "student_layer": 6,
        "before": {"layer_cosine": 0.25, "response_nll": 1.5},
        "after": {"layer_cosine": 0.5, "response_nll": 1.25},
        "held_out": {"n": 50},
    },
}
WHERE = "adapter in runs/a: README.md says how it was made and how to load it, record.json has all numbers"


def test_layers_place_and_change_are_told():
    assert summary_lines(RECORD, Path("runs/a")) == [
        "teacher 0.5 x layer 7 + 0.5 x layer 8 -> student layer 6",
        "semalign: 5 steps in 12 s",
        WHERE,
        "held-out layer_cosine: 0.2500 -> 0.5000",
        "held-out response_nll: 1.5000 -> 1.2500 nats a token on 50 rows: it fell by 0.2500",
    ]


def test_a_result_that_is_a_whole_model_is_called_one(tmp_path):
    (tmp_path / "config.json").touch()
    assert any(line.startswith(f"model in {tmp_path}: README.md says how") for line in summary_lines(RECORD, tmp_path))


def test_a_rise_is_told_as_a_rise_and_nothing_as_nothing():
    details = {"before": {"response_nll": 1.0}, "held_out": {"n": 2}}
    for after, told in ((1.125, "it rose by 0.1250"), (1.0, "it did not change")):
        record = {**RECORD, "details": {**details, "after": {"response_nll": after}}}
        assert summary_lines(record, Path("runs/a"))[-1].endswith(told)


def test_without_held_out_rows_it_is_told_how_to_give_them():
    record = {**RECORD, "details": {"before": None, "after": None}}
    assert summary_lines(record, Path("runs/a"))[-2:] == [
        WHERE,
        "no held-out rows: with --hold-out 50 or --validation FILE, it is told whether the response NLL fell",
    ]


def test_a_measurement_that_is_no_number_is_told_as_such():
    details = {"before": {"own": 1.0, "response_nll": 1.0}, "after": {"own": None, "response_nll": None}}
    lines = summary_lines({**RECORD, "details": {**details, "held_out": {"n": 2}}}, Path("runs/a"))
    assert lines[-2:] == [
        "held-out own: 1.0000 -> not a finite number",
        "held-out response_nll: 1.0000 -> not a finite number nats a token on 2 rows",
    ]
