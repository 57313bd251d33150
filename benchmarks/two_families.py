"""Transfer between two families of published models: Gemma 3 270M to SmolLM2-135M-Instruct, on real text.

The vocabularies differ in kind (SentencePiece and byte-level), so atoms match by the bytes that tokens stand for. For
each task, seed and method a run record holds the response NLL of every held-out row, in nats per token, so that
methods can be compared row by row. The last layers are paired and their states stored, so that a run on a CPU takes
minutes. All models are in one process; `details.peak_memory_bytes` is the peak of a run alone, and
`details.cpu_seconds` leaves out the time that other work had the processor. A record that exists is not made again: a
stopped comparison continues.

    SEMALIGN_DATA=/path/to/data python benchmarks/two_families.py gemma3-270m smollm2-135m
"""

import argparse
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from semalign.data.rows import Example, pad
from semalign.data.training_rows import rows as training_rows
from semalign.methods.held_out import HeldOut
from semalign.methods.runner import run_method
from semalign.models.architecture import Architecture
from semalign.models.capture import run_from
from semalign.models.evaluating import evaluating
from semalign.models.identity import model_identity
from semalign.models.loading import LanguageModel, load_model
from semalign.models.precision import types_of, wide
from semalign.paths import cache_dir, results_dir
from semalign.results.records import NONE, make_record, read_record, write_record
from semalign.results.statistics import bootstrap_interval, ratio_interval
from semalign.targets.passes import StatePasses
from semalign.targets.store import StateStore
from semalign.targets.supervision import At

METHODS = ("semalign", "permuted-atoms", "cross-entropy", "logit-kl")
TRAIN, HELD_OUT, BATCH = 72, 300, 8
SETTINGS = {"epochs": 3, "batch_size": BATCH, "micro_batch_size": 4, "learning_rate": 3e-4}


def held_out_states(student: LanguageModel, examples: Sequence[Example], k: int) -> StateStore:
    """Return the states that enter layer ``k``, which no run changes, stored on disk."""
    at = [list(example.positions()) for example in examples]
    passes = StatePasses(Architecture(student.model), examples, at, cache_dir() / "states", model_identity(student))
    return passes.entering_states(k)


def row_nll(model: Architecture, examples: Sequence[Example], entering: StateStore, k: int) -> list[float]:
    """Return the response NLL of each row, in nats per token, by a pass from layer ``k`` on."""
    found: list[float] = []
    with evaluating(model.model):
        for start in range(0, len(examples), BATCH):
            part = range(start, min(start + BATCH, len(examples)))
            input_ids, mask = pad([examples[i] for i in part])
            states = torch.zeros(*input_ids.shape, entering.width, dtype=entering.dtype)
            for row, i in enumerate(part):
                states[row, : len(examples[i])] = entering[i]
            final = run_from(model, k, states, mask)
            for row, i in enumerate(part):
                at = At.of([examples[i].positions()], final.device).columns
                found.append(cross_entropy(model.logits(wide(final[row, at])), input_ids[row, at + 1]).item())
    return found


class Usage:
    """The processor time and the peak memory of a block."""

    def __enter__(self) -> "Usage":
        self.started, self.cpu = time.perf_counter(), time.process_time()
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        except OSError:
            pass
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds, self.cpu = time.perf_counter() - self.started, time.process_time() - self.cpu
        status = Path("/proc/self/status")
        lines = status.read_text().splitlines() if status.is_file() else []
        peaks = [1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
        self.peak = peaks[0] if peaks else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Comparison:
    """All runs of one pair of models; see the text of this module."""

    def __init__(self, teacher: str, student: str, out: Path, dtype: torch.dtype) -> None:
        self.teacher, self.student = (load_model(name, dtype=dtype) for name in (teacher, student))
        self.pair = Architecture(self.teacher.model).n_layers, Architecture(self.student.model).n_layers
        self.out = out

    def run(self, task: str, method: str, seed: int) -> None:
        """Make the record of a task, method and seed; ``none`` is the student before."""
        path = self.out / f"{task}--{method}--{seed}.json"
        if path.is_file():
            return
        rows = training_rows(task, TRAIN + HELD_OUT)
        held_out, k = self.student.encode(rows[TRAIN:]), self.pair[1]
        entering = held_out_states(self.student, held_out, k)
        model, record, usage = self.student.model, {}, Usage()
        if method != NONE:
            layers = {"teacher_layer": self.pair[0], "student_layer": k}
            with usage:
                result = run_method(
                    method, self.teacher, self.student, rows[:TRAIN], task=task, seed=seed, **layers, **SETTINGS
                )
            record, model = result.record, result.model.model
        nll = row_nll(Architecture(model), held_out, entering, k)
        did = {} if method == NONE else self._did(task, nll, [len(row.positions()) for row in held_out])
        write_record(path, self._record(task, method, seed, nll, record, usage, did))
        print(f"{path.stem}: {sum(nll) / len(nll):.4f}", flush=True)

    def _did(self, task: str, after: Sequence[float], tokens: Sequence[int]) -> dict:
        """Return the response NLL before and after, as the records of comparisons hold it."""
        before = read_record(self.out / f"{task}--{NONE}--0.json")["details"]["row_nll"]
        first, last = (
            ratio_interval([nll * n for nll, n in zip(rows, tokens, strict=True)], tokens) for rows in (before, after)
        )
        values = ({"response_nll": found.value} for found in (first, last))
        return HeldOut(*values, (first.low, first.high), list(after)).details

    def _record(self, task: str, method: str, seed: int, nll: list[float], made: dict, usage: Usage, did: dict) -> dict:
        estimate = bootstrap_interval(nll)
        none = {
            "fingerprints": {"teacher": None, "student": model_identity(self.student), "data": None},
            "configuration": {},
            "losses": [],
            "details": {},
        }
        parts = {key: made[key] if made else none[key] for key in none}
        costs = {} if not made else {"cpu_seconds": usage.cpu, "peak_memory_bytes": usage.peak}
        return make_record(
            method=method,
            teacher=None if method == NONE else self.teacher.name,
            student=self.student.name,
            task=task,
            seed=seed,
            metric="row_nll",
            value=estimate.value,
            n=len(nll),
            interval=(estimate.low, estimate.high),
            seconds=usage.seconds if made else 0.0,
            fingerprints=parts["fingerprints"],
            losses=parts["losses"],
            configuration={**parts["configuration"], "train_rows": TRAIN, "held_out_rows": HELD_OUT},
            details={
                "types": {"student": types_of(self.student.model.parameters())},
                **parts["details"],
                **did,
                **costs,
                "threads": torch.get_num_threads(),
                "row_nll": [round(value, 6) for value in nll],
            },
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher")
    parser.add_argument("student")
    parser.add_argument("--tasks", default="gsm8k,mbpp")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dtype", default="bfloat16", help="type of the frozen weights; what trains is float32")
    parser.add_argument("--out", type=Path, default=results_dir() / "two-families")
    options = parser.parse_args()
    comparison = Comparison(options.teacher, options.student, options.out, getattr(torch, options.dtype))
    for seed in range(options.seeds):
        for task in options.tasks.split(","):
            for method in (NONE, *METHODS) if seed == 0 else METHODS:
                comparison.run(task, method, seed)


if __name__ == "__main__":
    main()
