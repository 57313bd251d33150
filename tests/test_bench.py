"""The table of speed: ratios, shares of the limit and growth by hand, and the check against what is on record."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from semalign.files import write_json
from semalign.paths import code_checkout
from semalign.results.records import write_record

BENCHMARKS = Path(code_checkout() or ".") / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from bench import race, report

    yield race, report
    for name in [name for name in sys.modules if name.partition(".")[0] == "bench"]:
        del sys.modules[name]


@pytest.fixture
def script(monkeypatch):
    """Import scripts by their names; what lies beside them is forgotten afterwards."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = set(sys.modules)
    yield importlib.import_module
    for name in sys.modules.keys() - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(BENCHMARKS)):
            del sys.modules[name]


@pytest.fixture
def step(bench):
    sizes = ({"n": 10, "m": 3}, {"n": 20, "m": 3}, {"n": 20, "m": 6})
    growth = {"n": 2.0, "m": 1.0}
    return bench[0].Step("product", "A product", "`peer`", 2.0, sizes, lambda n, m: None, growth)


def stats(median):
    return {"median": median, "q1": median * 0.5, "q3": median * 2, "rounds": 5}


def time(size, median, peer):
    shared = {"memory": 100, "threads": 2, "flops": 6e9, "bytes": None, "flops_limit": 10e9, "bytes_limit": None}
    other = {"peer": {**stats(peer), "memory": 200}, "difference": 1e-6}
    return {"stats": {**stats(median), "mean": 7.0}, "extra_info": {"step": "product", "size": size, **other, **shared}}


@pytest.fixture
def times(step):
    ours = (1.0, 4.0, 12.0)
    return [time(size, mine, 3 * mine) for size, mine in zip(step.sizes, ours, strict=True)]


def run_of(times):
    where = {"device": "a GPU", "commit": "abc", "versions": {"torch": "2.0"}}
    first = {**times[0], "extra_info": {**times[0]["extra_info"], **where}}
    machine = {"cpu": {"brand_raw": "a processor", "count": 16}}
    return {"benchmarks": [first, *times[1:]], "machine_info": machine, "datetime": "2026-01-02T03:04:05+00:00"}


def test_a_record_says_where_and_when_it_was_measured_not_where_it_was_written(bench, step, times):
    record = bench[1].record(step, bench[1].sizes_of(step, times), run_of(times), 2)
    assert (record["device"], record["commit"], record["versions"]) == ("a GPU", "abc", {"torch": "2.0"})
    assert record["created"] == "2026-01-02T03:04:05+00:00" and record["seed"] == 2
    assert record["details"]["machine"] == {"processor": "a processor", "cores": 16, "device": "a GPU"}


def test_ratios_are_of_medians_and_their_spread_of_quartiles(bench, step, times):
    first = bench[1].sizes_of(step, times)[0]
    assert first["ratio"] == 3.0 and first["spread"] == [0.75, 12.0]
    assert (
        first["limit"] == pytest.approx(0.6) and first["difference"] == 1e-6
    )  # 6e9 operations in 1 s of 10e9 a second
    assert first["ours"] == {**stats(1.0), "memory": 100} and first["peer"] == {**stats(3.0), "memory": 200}


def test_growth_is_the_exponent_between_sizes_that_differ_in_one_number(bench, step, times):
    found = bench[1].growth(step, bench[1].sizes_of(step, times))
    assert found["n"] == {"measured": pytest.approx(2.0), "expected": 2.0}
    assert found["m"]["measured"] == pytest.approx(1.585, abs=1e-3)  # 4 s to 12 s for twice as many


def test_a_ratio_that_fell_by_more_than_a_third_of_the_record_is_named(bench, step, times, tmp_path):
    report = bench[1]
    sizes = report.sizes_of(step, times)
    assert report.fallen(step, sizes, tmp_path) is None
    write_record(tmp_path / "product--1.json", report.record(step, sizes, run_of(times), 1))
    assert report.fallen(step, sizes, tmp_path) is None
    sizes[-1]["ratio"] = 1.9
    assert report.fallen(step, sizes, tmp_path) == "product: 1.90 times the peer's speed, and 3.00 on record"


def test_sizes_are_in_their_order_and_one_that_did_not_run_is_left_out(bench, step, times):
    assert [each["size"] for each in bench[1].sizes_of(step, times[1::-1])] == list(step.sizes[:2])


@pytest.mark.slow
def test_sides_of_a_race_take_turns_and_the_peer_is_timed_by_itself(bench):
    from bench.test_races import Turns

    seen = []
    turns = Turns(bench[0].Race(lambda: seen.append("ours"), lambda: seen.append("peer"), lambda ours, peer: 0.0))
    for _ in range(3):
        turns.before()
        turns.ours()
        turns.after()
    assert seen == ["peer", "ours"] * 3 and turns.results == {"ours": None, "peer": None}
    assert len(turns.memory["ours"]) == len(turns.memory["peer"]) == 3 and turns.largest("ours") is not None
    turns.seconds[:] = [1.0, 2.0, 4.0]
    assert turns.stats() == {"q1": 1.5, "median": 2.0, "q3": 3.0, "rounds": 3}
    turns.seconds[:] = [5.0]
    assert turns.stats() == {"q1": 5.0, "median": 5.0, "q3": 5.0, "rounds": 1}


def test_times_of_a_run_become_a_table_and_records(bench, step, times, tmp_path, monkeypatch, capsys):
    report = bench[1]
    monkeypatch.setattr(report, "all_steps", lambda: [step])
    monkeypatch.setattr(report, "results_dir", lambda: tmp_path)
    for name, found in (("skipped", []), ("product", times)):
        write_json(tmp_path / f"{name}.json", run_of(times) | ({} if found else {"benchmarks": []}))
    files = [tmp_path / "skipped.json", tmp_path / "product.json"]
    assert report.report(files, None) == [] and not (tmp_path / "bench").exists()
    assert "product" in capsys.readouterr().out
    assert report.report(files, 2) == [] and (tmp_path / "bench" / "a-GPU" / "product--2.json").is_file()


def test_every_step_names_its_peer_and_its_sizes(bench):
    for step in bench[0].all_steps():
        assert step.peer and step.reach > 0 and len(step.rounds) == len(step.sizes) > 0
        assert set(step.growth) <= set(step.sizes[0])


@pytest.mark.slow
def test_ways_of_a_step_take_turns(script, monkeypatch):
    tried, seen = script("tried"), []
    monkeypatch.setattr(tried, "ROUNDS", 2)
    found = tried.rows("a step", {"one": lambda: seen.append(1), "two": lambda: seen.append(2)})
    # in turns while times are taken, then each for its memory, its products and its calls
    assert seen == [1, 2] * 3 + [1] * 3 + [2] * 3 and [row["way"] for row in found] == ["one", "two"]
    assert all(row["step"] == "a step" and row["seconds"] >= 0 == row["calls"] == row["products"] for row in found)


@pytest.mark.slow
def test_calls_of_whole_models_are_counted_and_no_hook_stays(script):
    model = torch.nn.Module()
    model.lm_head = torch.nn.Linear(2, 2)
    model.forward = lambda x: model.lm_head(x)
    assert script("tried").calls(lambda: [model(torch.ones(2)) for _ in range(3)]) == 3
    assert not torch.nn.modules.module._global_forward_pre_hooks


@pytest.mark.slow
def test_seconds_in_products_are_those_of_matrices_alone(script):
    matrix = torch.ones(64, 64)
    assert script("tried").products(lambda: matrix @ matrix) > 0 == script("tried").products(lambda: matrix + matrix)


def test_the_error_of_a_basis_is_that_of_its_worst_vector(script):
    exact = torch.tensor([[3.0, 4.0], [0.0, 2.0]], dtype=torch.float64)
    found = torch.tensor([[3.0, 4.5], [0.0, 2.5], [9.0, 9.0]])  # off by 0.5 of 5, and by 0.5 of 2
    assert script("basis_error").largest(found, exact) == pytest.approx(0.25)


def test_a_start_is_that_of_a_program_of_this_environment(script, monkeypatch):
    times = script("start_times")
    monkeypatch.setattr(times, "ROUNDS", 1)
    assert times.seconds("python -c pass") > 0
    with pytest.raises(times.subprocess.CalledProcessError):
        times.seconds("python -c 'raise SystemExit(1)'")
