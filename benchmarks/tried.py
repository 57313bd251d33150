"""What was tried on steps of `make bench` that fall short of their marks: each way beside the step as it is.

The ways of a step take turns, so that a machine that becomes slower slows all of them.

SEMALIGN_DATA=/path/to/data python benchmarks/tried.py
"""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from bench.machine import memory_watched
from bench.small import llama, texts
from bench.steps.basis import random_head
from bench.steps.evaluation import answers, engines, requests
from bench.steps.seeking import VOCABULARY
from torch import nn
from transformers import CompileConfig
from triangle_blocks import inverse as inverse_by_blocks

from semalign import load_model
from semalign.bases.gram import gram
from semalign.data.sources import dataset_rows
from semalign.evaluation import decoding
from semalign.evaluation.code import humaneval_case
from semalign.files import write_json
from semalign.methods.seeking import sensitivity
from semalign.models.architecture import Architecture
from semalign.paths import results_dir
from semalign.results.surroundings import commit
from semalign.sandbox import run_many
from semalign.sandbox.runs import cores

ROUNDS = 3
PATH = results_dir() / "speed" / "tried.json"
Ways = Mapping[str, Callable[[], Any]]


def rows(step: str, ways: Ways) -> list[dict[str, Any]]:
    """Return a row for each way of a step: the median of its rounds after the first, and the peak of another one."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(1 + ROUNDS):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            times[way].append(time.perf_counter() - start)
    found = []
    for way, run in ways.items():
        with memory_watched() as memory:
            run()
        first, *later = times[way]
        line = {"step": step, "way": way, "first": round(first, 3), "seconds": round(median(later), 3)}
        found.append({**line, "memory": memory.peak})
        print(found[-1], flush=True)
    return found


def with_constant(module: Any, name: str, value: float, run: Callable[[], Any]) -> Any:
    """Run something while a constant of a module has another value."""
    with patch.object(module, name, value):
        return run()


def sandbox() -> list[dict[str, Any]]:
    """Return rows of HumanEval's solutions in the sandbox."""
    solutions = dataset_rows("openai/openai_humaneval", None, "test")
    cases = [humaneval_case(row, row["canonical_solution"]) for row in solutions]
    ways = {
        f"as it is, {cores() + 1} at a time": partial(run_many, cases),
        "`--sandbox limits`": partial(run_many, cases, mode="limits"),
    }
    ways |= {f"{n} at a time": partial(run_many, cases, workers=n) for n in (cores(), 2 * cores())}
    return rows(f"{len(cases)} solutions in the sandbox", ways)


def seeking() -> list[dict[str, Any]]:
    """Return rows of Seeking's sensitivities, at the largest size of the step."""
    teacher = Architecture(llama(VOCABULARY, 512, layers=4))
    student = Architecture(llama(VOCABULARY, 384, layers=2, seed=1))
    run = partial(sensitivity.extract, teacher, student, texts(16, VOCABULARY))
    ways = {f"as it is, {sensitivity.EXAMPLES_AT_ONCE} examples at a time": run}
    ways |= {f"{n} at a time": partial(with_constant, sensitivity, "EXAMPLES_AT_ONCE", n, run) for n in (1, 16)}
    return rows("Seeking's sensitivities", ways | {"rows and columns, no windows": partial(run, choice="rows_columns")})


def inverse() -> list[dict[str, Any]]:
    """Return rows of the inverse of a Gram matrix of Llama 2's width, from its Cholesky factor."""
    factor = torch.linalg.cholesky(gram(random_head(8_000, 4_096)))

    def threaded(number: int, invert: Callable[[], Any]) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        invert()
        torch.set_num_threads(before)

    forms = {"as it is": factor.cholesky_inverse, "blocks": partial(inverse_by_blocks, factor)}
    given = {1: "1 thread", 2: "2 threads"}
    ways = {f"{name}, {given[n]}": partial(threaded, n, form) for name, form in forms.items() for n in given}
    return rows("Inverse of a Gram matrix", ways)


def evaluation() -> list[dict[str, Any]]:
    """Return rows of a task's answers on one thread, with the number of calls of the model."""
    torch.set_num_threads(1)
    model = load_model("micro-student")
    asked = requests("micro_humaneval", 128, model.tokenizer)
    ours, theirs = engines(model, 64)
    run = partial(answers, ours, asked)
    costs = {"earlier": 0.5, "later": 8, "only when all of a batch have ended": math.inf}
    ways = {"as it is": run}
    ways |= {f"room {name}": partial(with_constant, decoding, "COST", cost, run) for name, cost in costs.items()}
    ways |= {"lm-eval": partial(answers, theirs, asked)}
    found = rows("Answers to micro-HumanEval", ways)
    return [row | {"calls": calls(model.model, way)} for row, way in zip(found, ways.values(), strict=True)]


def generation() -> list[dict[str, Any]]:
    """Return rows of transformers' own greedy decoding by the micro student on one thread, with other caches."""
    model, n = load_model("micro-student").model, 32
    ids = torch.randint(1, model.config.vocab_size, (64, 80), generator=torch.Generator().manual_seed(0))
    compiled = CompileConfig()
    compiled._compile_all_devices = True  # by itself transformers compiles on a GPU only
    given = {"max_new_tokens": n, "min_new_tokens": n, "do_sample": False, "pad_token_id": 0}
    run = partial(model.generate, input_ids=ids, attention_mask=torch.ones_like(ids), **given)
    static = partial(run, cache_implementation="static")
    ways = {
        "growing cache": run,
        "static cache": static,
        "static cache, compiled": partial(static, compile_config=compiled),
    }
    return rows(f"{n} tokens for {len(ids)} prompts, by `generate`", ways)


def calls(model: nn.Module, run: Callable[[], Any]) -> int:
    """Return how often something calls a model."""
    seen: list[int] = []
    hook = model.register_forward_pre_hook(lambda *_: seen.append(1))
    run()
    hook.remove()
    return len(seen)


def main() -> None:
    found = {"torch": torch.__version__, "threads": torch.get_num_threads(), "commit": commit()}
    write_json(PATH, found | {"rows": [*sandbox(), *seeking(), *inverse(), *evaluation(), *generation()]})


if __name__ == "__main__":
    main()
