"""The status page counts what is there and names what was not run."""

from importlib.metadata import version

import pytest

from semalign.book import status_page
from semalign.book.claims.ledger import Claim, Group, Ledger
from semalign.experiments.cells import Cell

RECORD = '{"method": "sft", "device": "cpu", "seconds": %s, "details": {"evaluation_seconds": 30}}'


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    monkeypatch.setenv("SEMALIGN_PROFILE", "micro")
    for name in ("01_x", "02_y"):
        path = tmp_path / "notebooks" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text('# %% tags=["parameters"]\ninputs = ["results/{profile}-curves"]\n')
    told = {"claim": "c", "section": "s", "paper": "p", "test": "four layers", "chapter": "x", "command": "try it"}
    claims = [Claim(number=number, **told) for number in (1, 2)]
    monkeypatch.setattr(status_page, "ledger", lambda: Ledger(groups=[Group(group="g", claims=claims)]))
    monkeypatch.setattr(
        status_page, "profile_names", lambda: ["llama2", "micro", "micro-tuned", "micro-depth", "micro-few"]
    )
    monkeypatch.setattr(status_page, "kept_records", lambda name: frozenset("abc" if name == "micro" else ""))
    asked = [Cell("none", None, "m", task, None) for task in "abcd"]
    monkeypatch.setattr(status_page, "cells", lambda profile: iter(asked))
    (tmp_path / "data" / "results" / "micro-tuned-selection").mkdir(parents=True)
    (tmp_path / "data" / "results" / "micro-tuned-selection" / "a.json").write_text(RECORD % 90.4)
    return tmp_path


def status_tables():
    return "\n".join(part() for part in (status_page.not_run, status_page.profiles, status_page.packages))


def test_what_was_run_has_its_time_and_what_was_not_is_named(project):
    text = status_tables()
    assert "| `micro` | comparison | 3 of 4 | – | – | – | `semalign compare --profile micro` |" in text
    assert "| `micro-tuned` | choice of settings | 1 | 90 s | 30 s | – | `semalign select --profile micro-t" in text
    assert "| `llama2` | comparison | not run | – | – | – |" in text
    assert "| all |  |  | 90 s | 30 s | – |  |" in text
    assert "were **not run**:\n\n- Claims 1, 2, four layers: `try it`\n" in text
    assert "- Profile `micro`, comparison: 3 of 4; `semalign compare --profile micro`\n" in text
    assert "- Profile `micro-few`, choice of settings: not run; `semalign select --profile micro-few`\n" in text
    assert "- Profile `micro-tuned`, choice" not in text
    assert f"| `sphinx` | {version('sphinx')} |" in text and "| `torch` |" in text


def test_time_on_a_gpu_is_counted_apart(project):
    there = project / "data" / "results" / "micro-tuned-selection" / "b.json"
    there.write_text((RECORD % 50).replace('"cpu"', '"NVIDIA H200"'))
    assert "| choice of settings | 2 | 2 min | 60 s | 80 s |" in status_page.profiles()


def test_records_of_no_profile_are_counted_by_their_folder(project):
    results = project / "data" / "results"
    for name, text in {"diagnosis/a": RECORD % 100, "diagnosis/b/c": RECORD % 80, "speed/x": "{}"}.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / f"{name}.json").write_text(text)
    rows = [line for line in status_page.others().splitlines() if line.startswith("| `")]
    assert rows == ["| `diagnosis` | 2 | 3 min |"]


def test_grids_sweeps_and_curves_that_were_not_run_are_named_with_their_own_verb(project):
    rows = [line for line in status_page.profiles().splitlines() if "`micro" in line]
    assert [row.split(" | ")[1:3] for row in rows[1:]] == [
        ["curves", "not run"], ["choice of settings", "1"], ["sweep", "not run"], ["choice of settings", "not run"],
    ]  # fmt: skip
    verbs = [row.split("`semalign ")[1].split(" --")[0] for row in rows]
    assert verbs == ["compare", "curves", "select", "sweep", "select"]


def test_records_of_other_models_are_counted_apart(project, monkeypatch):
    folder = project / "data" / "results" / "micro"
    folder.mkdir()
    for task in "abcd":
        (folder / f"none--m--{task}.json").write_text(RECORD % 1800.0)
    assert "| 3 of 4; 1 more of other models, data or settings |" in status_page.profiles()
    monkeypatch.setattr(status_page, "kept_records", lambda name: frozenset())
    assert "- Profile `micro`, comparison: 0 of 4; 4 more of other models, data" in status_page.not_run()


def test_records_of_a_profile_whose_models_are_not_here_are_counted_and_not_compared(project, monkeypatch):
    def kept(name):
        raise FileNotFoundError("no model 'm'")

    monkeypatch.setattr(status_page, "kept_records", kept)
    for file in ("none--m--a.json", "none--m--b.json", "other.json"):
        path = project / "data" / "results" / "micro" / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORD % 1800.0)
    text = status_tables()
    assert (
        "| `micro` | comparison | 2 of 4 on record; the models or data that they are of are not on this machine |"
        in text
    )
    assert "| `llama2` | comparison | not run |" in text
    assert "- Profile `micro`, comparison: 2 of 4 on record;" in text
    for file in ("none--m--c.json", "none--m--d.json"):
        (project / "data" / "results" / "micro" / file).write_text(RECORD % 1800.0)
    assert "4 of 4 on record" in status_page.profiles() and "Profile `micro`, comparison" not in status_page.not_run()
