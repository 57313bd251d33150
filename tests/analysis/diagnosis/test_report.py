"""The files of a diagnosis, and what a terminal shows."""

from dataclasses import replace

import pandas as pd
import pytest

from semalign.analysis.diagnosis import diagnose, report
from semalign.analysis.diagnosis.report import record, text, write
from semalign.models.pair import Pair
from semalign.results.records import read_record
from semalign.settings import TransferSettings


@pytest.fixture
def pair(teacher, student):
    return Pair(teacher, student)


@pytest.fixture
def found(pair, rows):
    return diagnose(pair, rows, layers=[4], strengths=(1.0,))


def test_record_tables_and_pictures_are_written(found, pair, rows, tmp_path):
    write(tmp_path, found, record(found, pair, rows, "sums", TransferSettings()))
    made = read_record(tmp_path / "diagnosis.json")
    assert made["value"] == pytest.approx(found.correspondence["atoms"].aligned) and made["n"] == 6
    assert made["details"]["verdict"] == found.verdict and made["task"] == "sums"
    for name, frame in (("readings", found.readings), ("patches", found.patches)):
        kept = pd.read_csv(tmp_path / f"{name}.csv")
        assert list(kept.columns) == list(frame.columns) and len(kept) == len(frame)
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()


def test_a_terminal_shows_the_last_layer_the_patches_and_the_verdict(found):
    shown = text(found)
    assert all(line in shown for line in found.verdict)
    assert "semantic" in shown and "against_zero" in shown


def test_a_student_with_more_layers_than_its_teacher_stands_beside_the_teacher_s_last_layer(found):
    own = found.readings["map"] == "student"
    last = own & (found.readings["layer"] == 4)
    deeper = replace(found, readings=found.readings.assign(layer=found.readings["layer"].mask(last, 99)))
    lines = text(deeper).split("own readings included):\n")[1].splitlines()
    assert lines[1].split()[:2] == ["student", "99"] and any(line.split()[0] == "semantic" for line in lines)
    assert sum(line.split()[0] == "student" for line in lines if line.split()) == 1  # its other layers are in the files


def test_a_picture_that_fails_loses_nothing_that_was_measured(found, pair, rows, tmp_path, monkeypatch):
    def failing(frame):
        raise RuntimeError("no fonts")

    monkeypatch.setattr(report, "readings_figure", failing)
    with pytest.raises(RuntimeError, match="no fonts"):
        write(tmp_path, found, record(found, pair, rows, "sums", TransferSettings()))
    assert read_record(tmp_path / "diagnosis.json")["details"]["patches"]
