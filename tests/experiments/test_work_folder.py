"""A record's run keeps its checkpoint until the record is there, alone, and runs only if it has to."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from semalign.experiments import work_folder as work
from semalign.experiments.work_folder import TakenError, make, narrowed, share_out, work_path
from semalign.paths import cache_dir


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "cache"))


def content(text: str) -> dict[str, str]:
    return {"command": "semalign", "text": text}


def test_each_record_of_each_folder_has_its_own_place(tmp_path):
    first, second = work_path(tmp_path / "a/micro/x.json"), work_path(tmp_path / "b/micro/x.json")
    assert first != second and first.name == second.name == "x"
    assert first.parent.name.startswith("micro-") and first.is_relative_to(cache_dir() / "runs")


def test_a_folder_stays_after_an_error_and_goes_with_the_record(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "write_record", lambda path, record: path.write_text(record["text"]))
    record = tmp_path / "x.json"

    def stopped(folder):
        folder.mkdir()
        (folder / "checkpoint").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(record, lambda: "missing", stopped)
    assert (work_path(record) / "checkpoint").read_text() == "half"
    assert make(record, lambda: "missing", lambda folder: content((folder / "checkpoint").read_text()))
    assert record.read_text() == "half" and not work_path(record).exists()


def _slow_run(record: Path, runs: Path) -> None:
    def run(folder):
        with runs.open("a") as file:
            file.write("run\n")
        time.sleep(0.3)
        return content("made")

    work.write_record = lambda path, record: path.write_text(record["text"])
    make(record, lambda: None if record.exists() else "missing", run)


@pytest.mark.slow
def test_of_two_processes_with_one_record_one_makes_it(tmp_path):
    record, runs = tmp_path / "x.json", tmp_path / "runs"
    processes = [multiprocessing.Process(target=_slow_run, args=(record, runs)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert runs.read_text() == "run\n" and record.read_text() == "made"


def _share(folder: Path, runs: Path) -> None:
    def attempt(name, wait):
        path = folder / name

        def run(_):
            with runs.open("a") as file:
                file.write(f"{os.getpid()} {name}\n")
            time.sleep(0.2)
            return content("made")

        make(path, lambda: None if path.exists() else "missing", run, wait)

    work.write_record = lambda path, record: path.write_text(record["text"])
    share_out(["a", "b", "c", "d", "e", "f"], attempt, "test")


@pytest.mark.slow
def test_two_processes_share_the_records_and_neither_waits_while_there_is_one_to_make(tmp_path):
    runs = tmp_path / "runs"
    processes = [multiprocessing.Process(target=_share, args=(tmp_path, runs)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    made = [line.split() for line in runs.read_text().splitlines()]
    assert sorted(name for _, name in made) == ["a", "b", "c", "d", "e", "f"]
    assert sorted(sum(int(pid) == process.pid for pid, _ in made) for process in processes)[0] >= 2


def test_what_another_process_makes_comes_again_at_the_end():
    tried = []

    def attempt(one, wait):
        tried.append((one, wait))
        if one == 1 and not wait:
            raise TakenError

    share_out([1, 2, 3], attempt, "test")
    assert tried == [(1, False), (2, False), (3, False), (1, True)]


def test_a_record_that_is_being_made_is_not_waited_for_unless_asked(tmp_path):
    with work.work_folder(tmp_path / "x.json"), pytest.raises(TakenError):
        make(tmp_path / "x.json", lambda: pytest.fail("asked"), lambda folder: pytest.fail("ran"), wait=False)


def test_a_stale_record_is_told_of(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(work, "write_record", lambda path, record: None)
    make(tmp_path / "x.json", lambda: "stale: other data", lambda folder: content("again"))
    assert "x is stale: other data: made again" in caplog.text


@pytest.mark.parametrize(
    ("command", "narrow"),
    [
        ("semalign compare --profile micro", "semalign compare --profile micro --only a,b=c"),
        ("semalign select -p x.yaml --only y --only z --out ~/o", "semalign select -p x.yaml --out ~/o --only a,b=c"),
        ("semalign sweep --only='y z' --only 'u v'", "semalign sweep --only a,b=c"),
        ("semalign compare", "semalign compare --only a,b=c"),
        ("semalign -v compare -p micro", "semalign -v compare -p micro --only a,b=c"),
        ("semalign --include=x --verbose select --only y", "semalign --include=x --verbose select --only a,b=c"),
        ("semalign --include 'my own' -v sweep -p x", "semalign --include 'my own' -v sweep -p x --only a,b=c"),
        ("semalign --include 'it'\"'\"'s' sweep -p x", "semalign --include 'it'\"'\"'s' sweep -p x --only a,b=c"),
        ("semalign --include compare curves", "semalign --include compare curves"),
        ("semalign comparison", "semalign comparison"),
        ("semalign curves --profile micro", "semalign curves --profile micro"),
        ("notebook", "notebook"),
    ],
)
def test_a_record_names_the_command_that_makes_it_alone(command, narrow):
    assert narrowed(command, "a,b=c") == narrow
