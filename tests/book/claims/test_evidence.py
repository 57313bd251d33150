"""A record counts while it is whole and of what is here; otherwise a claim is not run, never an old number."""

import numpy as np
import pytest
from helpers.claims import FakeScores, put

from semalign.book.claims import evidence, stamps
from semalign.book.claims.evidence import Scores, paths_of, records_of
from semalign.book.claims.profiles import profile_of
from semalign.book.claims.verdicts import NotRunError
from semalign.results.records import read_record


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


def test_no_record_is_not_run(root):
    with pytest.raises(NotRunError, match=r"no record small/\*\.json"):
        records_of(["small/*.json"])


def test_a_damaged_record_is_not_run(root):
    path = put(root, "small/one.json")
    assert [record["value"] for record in records_of(["small/*.json"])] == [1.0]
    path.write_text(path.read_text().replace('"value": 1.0', '"value": 2.0'))
    with pytest.raises(NotRunError, match="damaged"):
        records_of(["small/*.json"])


def test_a_record_is_read_once_until_its_file_changes(root, monkeypatch):
    monkeypatch.setattr(stamps, "RECENT", -1)  # a file counts as settled at once
    read = []
    monkeypatch.setattr(evidence, "read_record", lambda path: (read.append(path), read_record(path))[1])
    path = put(root, "small/one.json")
    for _ in range(2):
        assert [record["value"] for record in records_of(["small/*.json"])] == [1.0]
    assert len(read) == 1
    put(root, "small/one.json", value=2.0)  # as large as before
    assert [record["value"] for record in records_of(["small/*.json"])] == [2.0]
    path.unlink()
    with pytest.raises(NotRunError, match="no record small"):
        records_of(["small/*.json"])


def test_a_record_of_another_bundled_model_is_stale(root, monkeypatch):
    (root / "data" / "models" / "mine").mkdir(parents=True)
    monkeypatch.setattr(evidence, "fingerprint_of", lambda name: f"of {name}")
    put(root, "small/one.json", student="mine", fingerprints={"student": "of mine"})
    assert records_of(["small/*.json"])
    put(root, "small/one.json", student="mine", fingerprints={"student": "of an older one"})
    with pytest.raises(NotRunError, match=r"one.json is stale: other student"):
        records_of(["small/*.json"])


def test_a_record_of_other_data_or_settings_is_stale_where_its_profile_can_tell(root, monkeypatch):
    monkeypatch.setattr(evidence, "fingerprint_of", lambda name: None)
    monkeypatch.setattr(evidence, "_current", lambda name, files: frozenset({"kept.json"}))
    for name in ("micro-teacher", "micro-student"):
        (root / "data" / "models" / name).mkdir(parents=True)
    put(root, "micro/kept.json")
    assert records_of(["micro/*"])
    put(root, "micro/old.json")
    with pytest.raises(NotRunError, match=r"old.json is stale, or no cell of profile micro"):
        records_of(["micro/*"])
    put(root, "small/old.json")  # its models are not bundled
    put(root, "micro-curves/old.json")
    assert records_of(["small/*", "micro-curves/*"])


def test_patterns_find_records_in_folders_and_no_other_files(root):
    paths = [put(root, f"diagnosis/{name}/diagnosis.json") for name in "ab"]
    (paths[0].parent / "readings.csv").write_text("")
    assert paths_of(["diagnosis/**/*"]) == paths_of(["diagnosis/**/*.json"]) == paths


def test_scores_are_those_of_current_records_of_all_seeds(root, monkeypatch):
    for seed, correct in enumerate(["1100", "1110"]):
        put(root, f"micro/semalign--{seed}.json", teacher="micro-teacher", student="micro-student", task="micro_mmlu",
            seed=seed, details={"correct": correct})  # fmt: skip
    kept = {"semalign--0.json", "semalign--1.json"}
    monkeypatch.setattr(evidence, "_current", lambda name, files: kept & {file.name for file in files})
    seeds = profile_of("micro").model_copy(update={"seeds": [0, 1]})
    monkeypatch.setattr(evidence, "profile_of", lambda name: seeds)
    scores = Scores("micro", ["micro/semalign--*"])
    assert np.array_equal(scores.flags("semalign", "micro_mmlu", "micro-teacher"), [[1, 1, 0, 0], [1, 1, 1, 0]])
    with pytest.raises(NotRunError, match="0 of 1 current records of micro-student on micro_mmlu"):
        scores.flags("none", "micro_mmlu", "micro-teacher")
    with pytest.raises(NotRunError, match="0 of 2"):
        Scores("micro", ["micro/other--*"]).flags("semalign", "micro_mmlu", "micro-teacher")
    with pytest.raises(NotRunError, match="profile micro has no entry other"):
        scores.flags("other", "micro_mmlu", "micro-teacher")
    kept.discard("semalign--1.json")  # it is stale
    with pytest.raises(NotRunError, match="1 of 2 current records of semalign"):
        Scores("micro", ["micro/semalign--*"]).flags("semalign", "micro_mmlu", "micro-teacher")


def test_a_profile_s_record_that_is_damaged_later_is_current_no_more(root, monkeypatch):
    monkeypatch.setattr(stamps, "RECENT", -1)
    asked = []

    def current(profile, folder):
        asked.append(folder)
        return {path.name for path in folder.glob("*.json") if "damaged" not in path.read_text()}

    monkeypatch.setattr(evidence, "current", current)
    path = put(root, "micro/semalign--0.json", task="micro_mmlu")
    put(root, "micro/none--0.json", task="micro_mmlu")
    for _ in range(2):
        assert len(Scores("micro", ["micro/*"]).records) == 2 and len(Scores("micro", ["micro/none--*"]).records) == 1
    assert len(asked) == 1
    path.write_text("damaged")
    assert Scores("micro", ["micro/*"]).records["path"].tolist() == ["none--0.json"]
    assert evidence.kept_records("micro") == {"none--0.json"} and len(asked) == 2


def test_a_profile_without_records_is_not_run(root):
    with pytest.raises(NotRunError, match="no record of profile micro"):
        Scores("micro", ["micro/*"])


def test_of_a_method_without_runs_none_is_untrained():
    assert FakeScores({}).untrained("absent", [("a", "general")]) == ""
