"""Notebooks at the same time: how many, in which order, and what happens to the others when one fails."""

import multiprocessing
import time
from functools import partial

import pytest

from semalign.book import at_once as module
from semalign.book.at_once import at_once, before, run_all, stated_seconds


@pytest.mark.parametrize(
    ("threads", "expected"), [("1", 4), ("2", 2), ("3", 1), ("4", 1), ("8", 1), ("0", 1), ("", 1), ("2,1", 1)]
)
def test_each_notebook_has_its_threads(monkeypatch, threads, expected):
    monkeypatch.setattr(module, "cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert at_once() == expected


def notebook(folder, name, cost="", inputs=()):
    path = folder / f"{name}.py"
    path.write_text(f'# %% [markdown]\n# {cost}\n\n# %% tags=["parameters"]\ninputs = {list(inputs)}\n')
    return path


@pytest.mark.parametrize(
    ("cost", "seconds"),
    [
        ("- **Cost**: about 15 seconds for the micro family", 15),
        ("- **Cost**: about 1 minute", 60),
        ("- **Cost**: about 5 minutes on a CPU", 300),
        ("- **Cost**: little; about 5 minutes elsewhere", 0),
        ("", 0),
    ],
)
def test_a_notebook_states_its_cost(tmp_path, cost, seconds):
    assert stated_seconds(notebook(tmp_path, "01", cost)) == seconds


def test_a_notebook_waits_for_the_earlier_ones_that_may_make_what_it_reads(tmp_path):
    first = notebook(tmp_path, "01", inputs=["models", "results/{profile}"])
    second = notebook(tmp_path, "02", inputs=["models"])
    third = notebook(tmp_path, "03", inputs=["results/{profile}/grid.csv"])
    fourth = notebook(tmp_path, "04", inputs=["results/{profile}-cost"])
    fifth = notebook(tmp_path, "05", inputs=["results"])
    assert before([first, second, third, fourth, fifth]) == {
        first: set(),
        second: set(),
        third: {first},
        fourth: set(),
        fifth: {first, third, fourth},
    }


def stamped(folder, source):
    """A stand-in for a notebook that says when it began and when it ended."""
    began = time.monotonic()
    time.sleep(0.05)
    if "fails" in source.stem:
        raise ValueError(f"{source.stem} failed")
    if "hangs" in source.stem:
        (folder / "hangs").touch()
        time.sleep(600)
    if "waits" in source.stem:  # for one that runs at the same time
        while not (folder / "other").exists():
            time.sleep(0.01)
    (folder / ("other" if "other" in source.stem else source.stem)).touch()
    return source.stem, began, time.monotonic()


def test_two_run_at_the_same_time_and_results_are_in_order(tmp_path):
    sources = [notebook(tmp_path, "01_waits"), notebook(tmp_path, "02_other")]
    found = run_all(sources, {source: set() for source in sources}, partial(stamped, tmp_path), 2)
    assert [name for name, _, _ in found] == ["01_waits", "02_other"]


def test_the_longest_begin_and_none_before_what_it_waits_for(tmp_path):
    short, long, longer, last = (
        notebook(tmp_path, name, f"**Cost**: about {n} minutes")
        for name, n in [("01_short", 1), ("02_long", 2), ("03_longer", 3), ("04_last", 9)]
    )
    after = {short: set(), long: set(), longer: set(), last: {short, tmp_path / "another.py"}}
    found = run_all([short, long, longer, last], after, partial(stamped, tmp_path), 2)
    begin, end = ({name: when[i] for name, *when in found} for i in (0, 1))
    assert min(end["02_long"], end["03_longer"]) < begin["01_short"] < end["01_short"] < begin["04_last"]


def test_one_worker_runs_them_in_their_order_in_this_process(tmp_path):
    sources = [notebook(tmp_path, f"{n:02}", f"**Cost**: about {n} minutes") for n in range(1, 4)]
    ran = []
    assert run_all(sources, {}, lambda source: ran.append(source) or source.stem, 1) == ["01", "02", "03"]
    assert ran == sources


def test_where_one_fails_the_others_are_ended(tmp_path):
    sources = [notebook(tmp_path, "01_hangs", "**Cost**: about 9 minutes"), notebook(tmp_path, "02_fails")]
    with pytest.raises(ValueError, match="02_fails failed"):
        run_all(sources, {source: set() for source in sources}, partial(stamped, tmp_path), 2)
    # The pool's own thread waits for the same processes: for a moment one that has ended can still be in the list.
    deadline = time.monotonic() + 60
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not multiprocessing.active_children() and not (tmp_path / "01_hangs").exists()
