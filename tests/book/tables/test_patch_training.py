"""The patch test beside training, on changes that are written by hand."""

import pandas as pd
import pytest
from helpers.diagnoses import patch
from helpers.losses import write_losses
from scipy.stats import spearmanr

from semalign.book.markdown import SPACE, numbers
from semalign.book.tables.patch_training import agreement_table, patched_and_trained, rows_text, trained_places
from semalign.results.records import read_record

BEFORE = {("tiny", "micro_gsm8k"): [1.0, 2.0, 3.0]}


def swept(folder, name, rows, layer, layers, **more):
    details = {"teacher_layers": layers, "student_layer": layer}
    made = {"interface": "mlp", "map": name, "student_layer": layer, "details": details.items(), **more}
    return read_record(write_losses(folder, f"{name}{layer}", 0, rows, before=2.0, **made))


def diagnosis(*patches, student="tiny", task="micro_gsm8k"):
    return {"teacher": "large", "student": student, "task": task, "details": {"patches": list(patches)}}


def at(name, layer, change, control=0.0, zero=0.0, strength=0.5):
    found = {**patch(name, layer, change, control), "teacher_layer": layer, "interface": "mlp", "strength": strength}
    return found | {f"against_zero{end}": zero for end in ("", "_low", "_high")}


def test_a_training_is_compared_with_the_student_before_row_by_row(tmp_path):
    records = [
        swept(tmp_path, "semantic", [0.5, 1.5, 2.5], 1, [[1, 1.0]]),
        swept(tmp_path, "ridge", [0.0, 2.0, 4.0], 1, [[1, 1.0]]),
        swept(tmp_path, "semantic", [1.0] * 3, 2, [[2, 0.5], [3, 0.5]]),  # of two teacher layers: no place of a patch
    ]
    found = trained_places(records, BEFORE)
    assert found[["map", "teacher_layer", "layer"]].values.tolist() == [["semantic", 1, 1], ["ridge", 1, 1]]
    assert found["trained"].tolist() == pytest.approx([-0.5, 0.0])
    assert found.loc[0, ["trained_low", "trained_high"]].tolist() == pytest.approx([-0.5, -0.5])
    assert found.loc[1, ["trained_low", "trained_high"]].tolist() == pytest.approx([-1.0, 1.0])


def test_places_are_those_that_both_have(tmp_path):
    trained = trained_places([swept(tmp_path, "semantic", [0.5, 1.5, 2.5], 1, [[1, 1.0]])], BEFORE)
    patches = [
        at("semantic", 1, -0.2, -0.1, -0.1),
        at("semantic", 1, -0.2, -0.1, 0.1, strength=1.0),  # no better than zero
        at("semantic", 2, -0.2),  # not trained
        {**at("semantic", 1, -0.3), "teacher_layer": 2},
        at("ridge", 1, -0.2),
        {**at("semantic", 1, -0.4), "interface": "residual"},
    ]
    other = at("semantic", 1, -0.2)
    others = [diagnosis(other, student="other"), diagnosis(other, task="micro_mmlu")]
    others.append({**diagnosis(other), "teacher": "other"})
    found = patched_and_trained([diagnosis(*patches), *others], trained)
    assert found["strength"].tolist() == [0.5, 1.0]
    assert found["helps"].tolist() == [True, True] and found["chosen"].tolist() == [True, False]
    assert found["lowered"].tolist() == [True, True] and found["trained"].tolist() == pytest.approx([-0.5, -0.5])
    assert patched_and_trained([], trained).empty


def places(*lines, strength=0.5):
    """Return places from student, task, layer, changes by the patch and by the training; intervals are ± 0.1."""
    names = ["student", "task", "layer", "change", "trained", "chosen"]
    made = pd.DataFrame(lines, columns=names).assign(strength=strength)
    return made.assign(helps=made["change"] < -0.1, lowered=made["trained"] < -0.1)


NEAR = [
    ["near", "micro_gsm8k", 1, 0.3, 0.5, False],
    ["near", "micro_gsm8k", 1, 0.1, 0.4, False],
    ["near", "micro_gsm8k", 2, -0.2, 0.1, True],
    ["near", "micro_gsm8k", 2, -0.4, -0.3, True],
    ["near", "micro_gsm8k", 2, -0.6, -0.2, False],
]
FAR = [["far", "micro_mmlu", layer, change, 5 - change, False] for layer, change in ((1, 3.0), (1, 4.0), (2, 6.0))]


def test_help_is_counted_and_its_size_compared():
    (line,) = agreement_table(places(*NEAR)).to_dict("records")
    correlation = spearmanr([0.3, 0.1, -0.2, -0.4, -0.6], [0.5, 0.4, 0.1, -0.3, -0.2]).statistic
    assert correlation == pytest.approx(0.9)
    assert str(line["rank correlation"]).startswith("+0.90 [")
    assert [line[name] for name in ("student", "data", "strength", "places")] == ["near", "GSM8K", "0.5", "5"]
    asked = ("training lowers", "where the patch helps", "where a diagnosis says so")
    assert [line[name] for name in asked] == ["2 of 5", "2 of 3", "1 of 2"]
    assert str(line["mean there"]) == f"-0.4000{SPACE}→{SPACE}-0.1333"
    data = numbers(agreement_table(places(*NEAR))).iloc[0]
    assert data["rank correlation"] == pytest.approx(0.9)
    assert data["mean there, patch"] == pytest.approx(-0.4) and data["mean there, training"] == pytest.approx(-0.4 / 3)


def test_together_places_are_ranked_within_each_student_and_benchmark():
    """One student has nearly the same order, the other the reverse; the difference between them does not count."""
    table = agreement_table(places(*NEAR, *FAR))
    assert table["student"].tolist() == ["far", "near", "all"]
    assert table["places"].tolist() == ["3", "5", "8"]
    found = numbers(table)["rank correlation"].tolist()
    assert found == pytest.approx([-1.0, 0.9, -0.05])
    assert table.loc[0, "where the patch helps"] == "–" and table.loc[0, "mean there"] == "–"
    assert table.loc[2, "where the patch helps"] == "2 of 3"


def test_strengths_stand_apart_and_benchmarks_in_the_papers_order():
    more = [[line[0], "micro_mmlu", *line[2:]] for line in NEAR]
    table = agreement_table(pd.concat([places(*NEAR, *more, strength=strength) for strength in (1.0, 0.5)]))
    assert table["strength"].tolist() == ["0.5"] * 3 + ["1"] * 3
    assert table["data"].tolist() == ["MMLU", "GSM8K", "all"] * 2


def test_one_layer_or_one_change_has_no_correlation():
    for few in (places(*NEAR[2:]), places(*([*line[:3], 0.1, *line[4:]] for line in NEAR))):
        assert agreement_table(few)["rank correlation"].tolist() == ["–"]
    assert agreement_table(places()).values.tolist() == [["not run"]]


def test_rows_are_those_of_the_records(tmp_path):
    diagnoses = [{"configuration": {"rows": rows}, "n": rows // 2} for rows in (64, 64)]
    trainings = [swept(tmp_path, "semantic", [0.5, 1.5, 2.5], layer, [[1, 1.0]]) for layer in (1, 2)]
    text = rows_text(diagnoses, trainings, [1000, 1000])
    assert "has the first 64 training rows of a benchmark" in text and "that of the other 32. " in text
    assert "has the first 1000 training rows" in text and "that of 3 rows of the None split" in text
    assert "first 64 to 80 training" in rows_text(
        [*diagnoses, {"configuration": {"rows": 80}, "n": 40}], trainings, [9]
    )
