"""The table of differences, from records made by hand."""

import pytest

from semalign.results import comparisons
from semalign.results.comparisons import differences, gaps
from semalign.results.records import make_record, write_record
from semalign.results.resampling import seeded_bootstraps
from semalign.results.statistics import holm


def record(folder, method, teacher, correct, seed=None, task="sums", test="t"):
    made = make_record(
        method=method,
        teacher=teacher,
        student="small",
        task=task,
        seed=seed,
        metric="exact",
        value=100 * correct.count("1") / len(correct),
        n=len(correct),
        configuration={},
        fingerprints={"test": test},
        seconds=0,
        details={"correct": correct},
    )
    write_record(folder / f"{method}-{teacher}-{task}-{seed}.json", made)


@pytest.fixture
def folder(tmp_path):
    record(tmp_path, "none", None, "0001000000")
    for seed, correct in enumerate(("1111111100", "1111111000")):
        record(tmp_path, "semalign", "large", correct, seed)
    for seed, correct in enumerate(("1111100000", "1111110000", "1111111000")):
        record(tmp_path, "kl", "large", correct, seed)
    record(tmp_path, "kl", "other", "1111111111", 0)
    record(tmp_path, "none", None, "1111111111", task="words")
    return tmp_path


def test_every_method_with_the_same_teacher_and_task_is_taken_off(folder):
    table = differences(folder, resamples=500)
    assert sorted(table["minus"]) == ["kl", "none"]
    lines = table.set_index("minus")
    assert lines["difference"].to_dict() == pytest.approx({"kl": 15, "none": 65})
    assert lines.loc["kl", ["seeds", "other_seeds", "n"]].tolist() == [2, 3, 10]
    assert lines.loc["none", ["seeds", "other_seeds", "n"]].tolist() == [2, 1, 10]
    assert (table["low"] <= table["difference"]).all() and (table["difference"] <= table["high"]).all()
    assert table["p_holm"].tolist() == holm(table["p"].tolist()) and not table["single"].any()
    assert lines.loc["none", "p"] < 0.02 < lines.loc["kl", "p"]


def test_another_method_may_be_ours(folder):
    table = differences(folder, "kl", resamples=200)
    assert sorted(zip(table["teacher"], table["minus"], strict=True)) == [
        ("large", "none"),
        ("large", "semalign"),
        ("other", "none"),
    ]
    assert differences(folder, "nothing").empty


def test_other_items_are_refused(folder):
    record(folder, "kl", "large", "11111", seed=3)
    with pytest.raises(ValueError, match=r"not scored on the same items, t \(5\), t \(10\)"):
        differences(folder)


def test_other_test_data_is_refused(folder):
    record(folder, "kl", "large", "1111111111", seed=3, test="u")
    with pytest.raises(ValueError, match="not scored on the same items"):
        differences(folder)


def test_gaps_to_the_teacher_and_the_share_of_the_way(folder):
    own = dict(method="none", teacher=None, student="large", task="sums", seed=None, metric="exact", value=90.0, n=10,
               configuration={}, fingerprints={"test": "t"}, seconds=0, details={"correct": "1111111110"})  # fmt: skip
    write_record(folder / "none-large-sums.json", make_record(**own))
    table = gaps(folder, resamples=500)
    assert table[["method", "teacher"]].values.tolist() == [["kl", "large"], ["semalign", "large"]]
    lines = table.set_index("method")
    assert lines["gap"].to_dict() == pytest.approx({"kl": 30, "semalign": 15})
    assert lines["share"].to_dict() == pytest.approx({"kl": 62.5, "semalign": 81.25})
    assert (table["low"] <= table["gap"]).all() and (table["gap"] <= table["high"]).all()
    assert lines["seeds"].to_dict() == {"kl": 3, "semalign": 2}


def test_the_gap_before_any_transfer_is_computed_once_for_all_methods(folder, monkeypatch):
    own = dict(method="none", teacher=None, student="large", task="sums", seed=None, metric="exact", value=90.0, n=10,
               configuration={}, fingerprints={"test": "t"}, seconds=0, details={"correct": "1111111110"})  # fmt: skip
    write_record(folder / "none-large-sums.json", make_record(**own))
    asked = []

    def bootstraps(pairs, **options):
        asked.append(len(pairs))
        return seeded_bootstraps(pairs, **options)

    monkeypatch.setattr(comparisons, "seeded_bootstraps", bootstraps)
    assert len(gaps(folder, resamples=100)) == 2 and asked == [2, 1]


def test_there_is_no_share_where_the_teacher_is_not_above_the_student(folder):
    own = dict(method="none", teacher=None, student="large", task="sums", seed=None, metric="exact", value=10.0, n=10,
               configuration={}, fingerprints={"test": "t"}, seconds=0, details={"correct": "0000000001"})  # fmt: skip
    write_record(folder / "none-large-sums.json", make_record(**own))
    assert gaps(folder, resamples=100)["share"].isna().all()


def test_only_some_files_may_be_read(folder):
    only = {"none-None-sums-None.json", "semalign-large-sums-0.json"}
    table = differences(folder, only=only, resamples=100)
    assert table[["minus", "seeds"]].values.tolist() == [["none", 1]]
    assert table["single"].all() and table["p_holm"].isna().all() and table["p"].notna().all()
    assert gaps(folder, only=only).empty
    assert differences(folder, only=set()).empty
