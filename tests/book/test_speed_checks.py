"""Measurements that stand alone on the page on speed: "not run" without a file, its numbers with one."""

import re
from pkgutil import resolve_name

import pytest

from semalign.book import speed_checks
from semalign.book.table_directive import TABLES
from semalign.files import write_json
from semalign.paths import code_checkout

SHOWN = [name for name, function in TABLES.items() if function.startswith("speed_checks:")]


@pytest.fixture
def speed(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_checks, "results_dir", lambda: tmp_path)
    return tmp_path / "speed"


@pytest.mark.parametrize("name", SHOWN)
def test_without_its_file_the_text_names_a_script_that_is_there(name, speed):
    told = re.fullmatch(
        r"\*\*not run\*\*: `(benchmarks/\w+\.py)` measures it\.\n", resolve_name(f"semalign.book.{TABLES[name]}")()
    )
    assert (code_checkout() / told.group(1)).is_file()


def test_the_map_by_half_products_has_the_seconds_that_are_saved_and_come_in(speed):
    seconds = {"product": 2.0, "half_product": 1.25, "factor": 0.25, "rotation": 0.5}
    write_json(speed / "map-by-triangle.json", {"vocabulary": 16_000, "width": 2_048, "threads": 1} | seconds)
    text = speed_checks.map_by_triangle()
    assert "Of a head of 16,000 x 2,048 on 1 thread" in text and "it saves 0.75 s and adds 0.75 s" in text


def test_generation_comes_from_its_record(speed):
    side = {"seconds": 10.0, "tokens": 50, "tokens_per_second": 5.0}
    write_json(
        speed / "generation.json",
        {
            "model": "a-model", "task": "gsm8k", "items": 32, "batch_size": 16, "threads": 2, "ratio": 2.5,
            "equal_texts": 31, "ours": {**side, "tokens_per_second": 12.5}, "lm_eval": side,
        },
    )  # fmt: skip
    text = speed_checks.generation()
    assert "wrote 5.0 tokens a second and `semalign evaluate` 12.5, which took 2.5 times less" in text


def test_cells_are_split_into_transfer_and_score(speed):
    cells = [{"task": "micro_mmlu", "seconds": 42.5, "transfer": 30.25}]
    steps = [{"way": "as it is", "first": 3.5, "later": 1.25}]
    found = {"profile": "micro", "cells": cells, "steps": steps, "shares": {"products": 0.42, "attention": 0.25}}
    write_json(speed / "micro-cell.json", found)
    text = speed_checks.micro_cell()
    assert "Whole cells of profile `micro`" in text and "12.2" in text and "1.25" in text
    assert "42% of the time goes to matrix products and 25% to attention" in text


def test_builds_and_checks_are_shown_in_seconds(speed):
    found = {"cores": 2, "commit": "0123456789ab", "builds": [{"build": "nothing changed", "seconds": 9.4}]}
    write_json(speed / "builds.json", found)
    text = speed_checks.builds()
    assert "Builds of the book on 2 cores, commit 0123456." in text and "| 9" in text and "Steps" not in text
    found["checks"] = [{"step": "install", "seconds": 95}, {"step": "tests", "seconds": 625}]
    found["checks_commit"] = "7654321fedc"
    write_json(speed / "builds.json", found)
    caption = "Steps of `.ci/run` in a new clone on 2 cores, commit 7654321, 12 minutes in all, to reach 15."
    assert caption in speed_checks.builds()


def test_builds_stand_beside_what_they_should_take(speed):
    builds = [{"build": "a page changed", "seconds": 12.4}, {"build": "another one", "seconds": 3.0}]
    write_json(speed / "builds.json", {"cores": 2, "commit": "0123456789ab", "builds": builds})
    text = speed_checks.builds()
    assert "| a page changed | 12 | 10 |" in text and "| another one | 3 | – |" in text
    assert text.endswith("Not reached: a page changed.\n")


def test_vllm_stands_beside_transformers_of_the_same_run(speed):
    backends = {"vllm": {"tokens_per_second": 50.5}, "transformers": {"tokens_per_second": 6.5}}
    asked = {"model": "a-model", "task": "gsm8k", "items": 16, "batch_size": 8, "threads": 2, "commit": "0123456789ab"}
    write_json(speed / "backends.json", {**asked, "backends": backends, "equal_texts": 15})
    text = speed_checks.engines()
    assert "vLLM wrote 50.5 tokens a second, 7.8 times as many as transformers with 6.5, and 15 of the 16" in text


def test_the_basis_has_its_error_and_that_of_pinv(speed):
    found = {"vocabulary": 32_000, "width": 4_096, "rows": 256, "ours": 1.4e-6, "pinv": 5.2e-5}
    write_json(speed / "basis-error.json", found)
    text = speed_checks.basis_error()
    assert "Of a random head of 32,000 x 4,096, 256 vectors" in text and "at most 1e-06" in text and "5e-05;" in text


def test_scores_stand_by_items_at_a_time_and_cells_by_their_exponent(speed):
    scores = [{"task": "micro_mbpp", "batch": batch, "seconds": 8.0 - batch / 64} for batch in (64, 128)]
    cells = [{"cells": 1, "seconds": 5.0}, {"cells": 2, "seconds": 8.0}, {"cells": 4, "seconds": 16.0}]
    threads = [{"threads": 1, "seconds": 1.5}, {"threads": 2, "seconds": 1.25}]
    asked = {"train_size": 100, "epochs": 1, "items": 50}
    write_json(speed / "micro-ways.json", {**asked, "scores": scores, "cells": cells, "threads": threads})
    text = speed_checks.micro_ways()
    assert "| task | 64 at a time, s | 128 at a time, s |" in text and "| micro_mbpp | 7.0 | 6.0 |" in text
    assert "1.50 s on one thread and 1.25 s on two" in text and "exponent of 1.00" in text


def test_ways_of_a_step_have_their_products_and_calls_where_there_are_some(speed):
    none, some = {"products": 0.0, "calls": 0}, {"products": 0.25, "calls": 64}
    rows = [
        {"step": "a step", "way": "as it is", "first": 2.5, "seconds": 1.25, "memory": 2_000_000} | none,
        {"step": "another", "way": "as it is", "first": 0.75, "seconds": 0.5, "memory": 3_000_000} | some,
    ]
    write_json(speed / "tried.json", {"threads": 2, "commit": "0123456789ab", "rows": rows})
    text = speed_checks.tried()
    assert (
        "| a step | as it is | 2.50 | 1.25 | 2 | – | – |" in text
        and "| another | as it is | 0.75 | 0.50 | 3 | 0.25 | 64 |" in text
    )


def test_a_start_stands_beside_what_it_should_take(speed):
    rows = [
        {"command": "python -c pass", "seconds": 0.0214, "reach": None},
        {"command": "x", "seconds": 0.3, "reach": 0.25},
    ]
    write_json(speed / "start-times.json", {"rounds": 10, "cores": 2, "commit": "0123456789ab", "rows": rows})
    text = speed_checks.start_times()
    assert "| `python -c pass` | 0.02 | – |" in text and "| `x` | 0.30 | 0.25 |" in text
    assert f"`x` takes 0.30 s. {speed_checks.LATE}" in text
    rows[1]["seconds"] = 0.2
    write_json(speed / "start-times.json", {"rounds": 10, "cores": 2, "commit": "0123456789ab", "rows": rows})
    assert speed_checks.LATE not in speed_checks.start_times()
