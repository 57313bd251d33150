"""The page on speed: "not run" without records, tables and a drawing with them."""

from helpers.speed import PROFILES, speed_record

from semalign.book import speed_page
from semalign.book.theme import INK
from semalign.files import write_json


def test_without_records_the_page_says_which_command_makes_them(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    assert "**not run**: `make bench RUN=1`" in speed_page.speed_tables()


def test_with_records_it_has_tables_and_a_drawing_in_the_colour_of_the_page(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    monkeypatch.setattr(speed_page, "speed_records", lambda _: {"basis": [speed_record(1), speed_record(2)]})
    text = speed_page.speed_tables()
    assert "2 cores of a processor, 2026-01-01, commit 0123456" in text
    assert "| The basis | `peer` |" in text and ":name: tab-growth-cpu" in text
    assert '<svg role="img" aria-label="A point for each step' in text and "currentColor" in text
    assert speed_page.NO_GPU in text
    assert INK not in text and text == speed_page.speed_tables()


def test_a_step_that_falls_short_is_explained_below_its_table(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    monkeypatch.setattr(speed_page, "speed_records", lambda _: {"basis": [speed_record(1, ratio=2.0)]})
    assert "and why:\n\n- **The basis** (2.00 of 2.5): Products of rows take 50% of" in speed_page.speed_tables()


def test_every_gpu_has_tables_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "bench" / "NVIDIA-H100").mkdir(parents=True)
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    monkeypatch.setattr(speed_page, "speed_records", lambda _: {"basis": [speed_record(1)]})
    text = speed_page.speed_tables()
    assert ":name: tab-speed-nvidia-h100" in text and ":name: tab-speed-cpu" in text and speed_page.NO_GPU not in text


def test_the_map_by_half_products_has_the_seconds_that_are_saved_and_come_in(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    assert speed_page.map_by_triangle().startswith("**not run**")
    seconds = {"product": 2.0, "half_product": 1.25, "factor": 0.25, "rotation": 0.5}
    write_json(
        tmp_path / "speed" / "map-by-triangle.json", {"vocabulary": 16_000, "width": 2_048, "threads": 1} | seconds
    )
    text = speed_page.map_by_triangle()
    assert "Of a head of 16,000 x 2,048 on 1 thread" in text and "0.75 s are saved, and 0.75 s come in" in text


def test_generation_and_profiles_come_from_their_records(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    assert all(show().startswith("**not run**") for show in (speed_page.generation, speed_page.profiles))
    side = {"seconds": 10.0, "tokens": 50, "tokens_per_second": 5.0}
    write_json(
        tmp_path / "speed" / "generation.json",
        {
            "model": "a-model", "task": "gsm8k", "items": 32, "batch_size": 16, "threads": 2, "ratio": 2.5,
            "equal_texts": 31, "ours": {**side, "tokens_per_second": 12.5}, "lm_eval": side,
        },
    )  # fmt: skip
    text = speed_page.generation()
    assert "wrote 5.0 tokens a second and `semalign evaluate` 12.5, which took 2.5 times less" in text
    (tmp_path / "bench").mkdir()
    PROFILES.to_csv(tmp_path / "bench" / "profiles.csv", index=False)
    assert "before (commit 111) and after (commit 222)" in speed_page.profiles()


def test_cells_are_split_into_transfer_and_score(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    assert speed_page.micro_cell().startswith("**not run**")
    cells = [{"task": "micro_mmlu", "seconds": 42.5, "transfer": 30.25}]
    steps = [{"way": "as it is", "first": 3.5, "later": 1.25}]
    found = {"profile": "micro", "cells": cells, "steps": steps, "shares": {"products": 0.42, "attention": 0.25}}
    write_json(tmp_path / "speed" / "micro-cell.json", found)
    text = speed_page.micro_cell()
    assert "Whole cells of profile `micro`" in text and "12.2" in text and "1.25" in text
    assert "42% of the time goes to matrix products and 25% to attention" in text


def test_builds_and_checks_are_shown_in_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_page, "results_dir", lambda: tmp_path)
    assert speed_page.builds().startswith("**not run**")
    found = {"cores": 2, "commit": "0123456789ab", "builds": [{"build": "nothing changed", "seconds": 9.4}]}
    write_json(tmp_path / "speed" / "builds.json", found)
    text = speed_page.builds()
    assert "Builds of the book on 2 cores, commit 0123456." in text and "| 9" in text and "Steps" not in text
    found["checks"] = [{"step": "install", "seconds": 95}, {"step": "tests", "seconds": 625}]
    write_json(tmp_path / "speed" / "builds.json", found)
    assert "Steps of `.ci/run` in a new clone on 2 cores, commit 0123456, 12 minutes in all." in speed_page.builds()
