"""A disk that fills up: each writer says so in one line that names its file, and leaves nothing half-written.

The system itself refuses the bytes, by a limit on the size of files that stands for a full disk.
"""

import random
import re

import pandas as pd
import pytest
import torch
from helpers.disks import file_size_limit
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from semalign import run_method
from semalign.analysis.decomposition_figure import write_decomposition
from semalign.bases.basis import SemanticBasis
from semalign.book.page import Page
from semalign.cli.models import _save
from semalign.evaluation.journal import resumed, write_lines
from semalign.methods.seeking.blocks import Block
from semalign.methods.seeking.sensitivity import Extraction
from semalign.micro import checkpoint
from semalign.models.saving import save_model
from semalign.results.records import make_record, write_record
from semalign.targets.store import StateStore

FAST = {"epochs": 1, "batch_size": 4, "rank": 2, "student_layer": 2, "teacher_layer": 2}
NOISE = random.Random(0).sample(range(10**9), 5000)


class Model(LM):
    """Answers with many numbers at random, which do not compress."""

    def generate_until(self, requests):
        for request in requests:
            self.cache_hook.add_partial("generate_until", request.args, str(NOISE))
        return [""]

    loglikelihood = loglikelihood_rolling = None


def journal(folder, student):
    request = Instance("generate_until", {}, ("q", {}), 0)
    with resumed(Model(), folder / "a.json", lambda: {}) as model:
        model.generate_until([request])


def record(folder, student):
    known = {"method": "none", "teacher": None, "student": "s", "task": "t", "seed": 0, "metric": "seconds", "value": 1}
    write_record(
        folder / "a.json", make_record(**known, n=1, configuration={}, fingerprints={}, seconds=1, losses=NOISE)
    )


def shard(folder, student):
    store = StateStore(folder / "states", {"of": "test"}, [500] * 4, 8)
    store.ensure(lambda examples: [torch.zeros(500, 8) for _ in examples])


def extraction(folder, student):
    blocks = [{"mlp": Block(torch.arange(5000), torch.arange(5000))}]
    Extraction([1.0], [1], blocks).save(folder / "a.safetensors")


def figure(folder, student, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(folder))
    Page("01_x", "semalign run").save(pd.DataFrame({"x": NOISE}), "a")


WRITERS = {
    "model": lambda folder, student: save_model(student, folder / "a"),
    "cut student": lambda folder, student: _save(student, folder / "a"),
    "basis": lambda folder, student: SemanticBasis.random(500, 16).save(folder / "a.safetensors"),
    "samples": lambda folder, student: write_lines(folder / "a.jsonl.gz", [{"x": NOISE}]),
    "micro checkpoint": lambda folder, student: checkpoint.save(folder / "a", student.model, [], 1, []),
    "journal": journal,
    "record": record,
    "state shard": shard,
    "extraction": extraction,
}


def files_of(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_says_in_one_line_that_there_is_no_room_and_leaves_nothing(writer, tmp_path, student):
    with file_size_limit(4000), pytest.raises(OSError) as caught:
        WRITERS[writer](tmp_path, student)
    assert re.fullmatch(rf"cannot write {tmp_path}/\S+: file too large; choose another place", str(caught.value))
    assert [path.name for path in files_of(tmp_path) if path.name not in ("a.answers.jsonl.gz", ".lock")] == []
    WRITERS[writer](tmp_path, student)  # with room again
    assert files_of(tmp_path)


def test_so_do_figure_data(tmp_path, student, monkeypatch):
    with (
        file_size_limit(4000),
        pytest.raises(OSError, match=r"^cannot write \S+/a\.csv: file too large; choose another"),
    ):
        figure(tmp_path, student, monkeypatch)
    assert files_of(tmp_path) == []


def test_so_does_a_record_with_its_data(tmp_path, student, monkeypatch):
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "what is 1+2?"}\n' * 3)
    with (
        file_size_limit(300),
        pytest.raises(OSError, match=r"^cannot write \S+/fig\.csv: file too large; choose another"),
    ):
        write_decomposition(student, tmp_path / "prompts.jsonl", tmp_path / "out" / "fig", seed=0)
    assert files_of(tmp_path / "out") == []


@pytest.mark.parametrize(("n", "place"), [(12, "states/"), (2, "checkpoint.safetensors")])
def test_a_transfer_stops_with_one_line_and_goes_on_when_there_is_room(teacher, student, rows, tmp_path, n, place):
    """The states find no room, or the checkpoint does not."""
    out = tmp_path / "run"
    with file_size_limit(6000), pytest.raises(OSError, match=rf"^cannot write \S+{place}\S*: file too large; \S+ .*$"):
        run_method("semalign", teacher, student, rows[:n], output_dir=out, **FAST)
    assert files_of(out) == []
    result = run_method("semalign", teacher, student, rows[:n], output_dir=out, **FAST)
    assert {path.name for path in files_of(out)} >= {"adapter_config.json", "record.json"}
    assert result.record["losses"]
