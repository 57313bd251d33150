"""A transfer of a profile is the method's own, with what its record says of the rows that it was measured on."""

from helpers.profiles import FAST

from semalign.experiments import transfers
from semalign.experiments.inputs import held_out_rows, source_once, training_rows
from semalign.experiments.made_from import HELD_OUT
from semalign.experiments.transfers import measured_transfer
from semalign.files import json_fingerprint
from semalign.methods.runner import run_method

SETTINGS = {**FAST, "epochs": 1, "seed": 1}


def test_it_is_the_method_of_the_entry_measured_on_the_held_out_rows(profile):
    settings = {**SETTINGS, "output_loss": "cross_entropy"}
    record = measured_transfer(profile, profile.teacher, "micro_gsm8k", "entropy", settings).record
    rows, (held_out, split) = training_rows(profile, "micro_gsm8k"), held_out_rows(profile, "micro_gsm8k")
    models = source_once(profile.teacher), source_once(profile.student)
    plain = run_method("semalign", *models, rows, validation=held_out, **settings).record
    assert (record["method"], record["task"], record["losses"]) == ("semalign", "micro_gsm8k", plain["losses"])
    assert record["details"]["held_out"] == {**plain["details"]["held_out"], "split": split}
    assert record["configuration"] == {**plain["configuration"], HELD_OUT: json_fingerprint(held_out)}


def test_without_held_out_rows_nothing_is_measured(profile, monkeypatch):
    monkeypatch.setattr(transfers, "held_out_rows", lambda *_: ([], "validation"))
    record = measured_transfer(profile, profile.teacher, "micro_gsm8k", "semalign", SETTINGS).record
    assert "held_out" not in record["details"] and HELD_OUT not in record["configuration"]
