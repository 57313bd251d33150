"""A record is current if it was made from the models, data and settings that are here."""

from semalign.experiments.staleness import changes, resolved
from semalign.methods.registry import method

RECORD = {"fingerprints": {"student": "a", "data": "b"}, "configuration": {"rank": 4, "epochs": 3, "extra": 1}}


def test_what_differs_is_named():
    assert changes(RECORD, {"student": "a", "data": "b"}, {"rank": 4}) == []
    assert changes(RECORD, {"student": "a", "data": "c"}, {"rank": 8, "seed": 0}) == ["data", "rank", "seed"]
    assert changes(RECORD, {"student": "a"}, {}) == ["data"]
    assert changes(RECORD, {"student": "a", "data": "b", "teacher": "t"}, {}) == ["teacher"]


def test_a_setting_younger_than_the_record_counts_only_where_it_is_given():
    sft = method("sft")
    assert resolved(sft, {}, RECORD) == {"rank": 16, "epochs": 3}
    assert resolved(sft, {"weight_decay": 0.1}, RECORD) == {"rank": 16, "epochs": 3, "weight_decay": 0.1}
