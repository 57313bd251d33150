"""The page on speed: "not run" without records, tables and a drawing with them."""

from helpers.speed import PROFILES, speed_record

from semalign.book import speed_page
from semalign.book.theme import INK
from semalign.files import read_json, write_json


def test_without_records_the_page_says_which_command_makes_them(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    assert "**not run**: `make bench RUN=1`" in speed_page.speed_tables()


def test_with_records_it_has_tables_and_a_drawing_in_the_colour_of_the_page(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    monkeypatch.setattr(speed_page, "speed_records", lambda _: {"basis": [speed_record(1), speed_record(2)]})
    text = speed_page.speed_tables()
    assert "2 cores of a processor. Ratios" in text and "Run 2 is of commit 0123456 (2026-01-01)." in text
    assert "| The basis | `peer` |" in text and ":name: tab-growth-cpu" in text
    assert "| The basis | vocabulary 1,000, width 64 |" in text and ":name: tab-sizes-cpu" in text
    assert '<svg role="img" aria-label="A point for each step' in text and "currentColor" in text
    assert speed_page.NO_GPU in text
    assert INK not in text and text == speed_page.speed_tables()


def test_a_step_that_falls_short_is_explained_below_its_table(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    monkeypatch.setattr(speed_page, "speed_records", lambda _: {"basis": [speed_record(1, ratio=2.0)]})
    sizes = "2.00 at vocabulary 1,000, width 64; 2.00 at vocabulary 2,000, width 64"
    told = f"- **The basis**, to reach 2.5: {sizes}. Products of rows take 50% of"
    assert f"and why:\n\n{told}" in speed_page.speed_tables()


def test_every_gpu_has_tables_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "bench" / "NVIDIA-H100").mkdir(parents=True)
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    monkeypatch.setattr(speed_page, "speed_records", lambda _: {"basis": [speed_record(1)]})
    text = speed_page.speed_tables()
    assert ":name: tab-speed-nvidia-h100" in text and ":name: tab-speed-cpu" in text and speed_page.NO_GPU not in text


def test_where_steps_fall_short_on_a_gpu_is_folded_and_has_no_reason_of_a_cpu(tmp_path, monkeypatch):
    (tmp_path / "bench" / "a-GPU").mkdir(parents=True)
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    records = {"cpu": {"basis": [speed_record(1)]}, "a-GPU": {"basis": [speed_record(1, ratio=2.0)]}}
    monkeypatch.setattr(speed_page, "speed_records", lambda folder: records[folder.name])
    text = speed_page.speed_tables()
    told = "- **The basis**, to reach 2.5: 2.00 at vocabulary 1,000, width 64; 2.00 at vocabulary 2,000, width 64.\n"
    assert "::::{dropdown} Where steps fall short" in text and told in text and speed_page.SHORT not in text


def test_a_gpu_without_records_has_the_basis_of_its_check(tmp_path, monkeypatch):
    for folder in ("bench", "gpu-check"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    monkeypatch.setattr(speed_page, "speed_records", lambda _: {"basis": [speed_record(1)]})
    details = {"rows": 32_000, "width": 5_120, "pinv_seconds": 2.25}
    phases = [{"seconds": 1.25, "details": details}, {"seconds": 9.0, "details": {}}]
    record = {"device": "a GPU", "details": {"phases": {"bfloat16": phases}}}
    write_json(tmp_path / "gpu-check" / "a.json", record)
    monkeypatch.setattr(speed_page, "read_record", read_json)
    told = "of 32,000 x 5,120 it takes 1.25 s on a GPU, and `torch.linalg.pinv` 2.25 s.\n"
    assert speed_page.speed_tables().endswith(told)


def test_profiles_come_from_their_records(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    assert speed_page.profiles().startswith("**not run**")
    (tmp_path / "bench").mkdir()
    PROFILES.to_csv(tmp_path / "bench" / "profiles.csv", index=False)
    assert "before (commit 111) and after (commit 222)" in speed_page.profiles()
