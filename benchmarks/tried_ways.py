"""The ways that ``tried.py`` times: for each step, what was tried, beside the step as it is and its peer."""

import math
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from bench.small import llama, texts
from bench.steps.basis import random_head
from bench.steps.evaluation import answers, engines, requests
from bench.steps.laten_scores import laten_scores
from bench.steps.output_losses import output_cross_entropy
from bench.steps.seeking import VOCABULARY, whole_passes
from transformers import CompileConfig
from triangle_blocks import inverse as inverse_by_blocks

from semalign import load_model
from semalign.bases.gram import gram
from semalign.data.sources import dataset_rows
from semalign.evaluation import decoding
from semalign.evaluation.code import humaneval_case
from semalign.methods.laten import readout
from semalign.methods.seeking import sensitivity
from semalign.models import token_losses
from semalign.models.architecture import Architecture
from semalign.sandbox import run_many
from semalign.sandbox.runs import cores
from semalign.targets.store import StateStore

Ways = Mapping[str, Callable[[], Any]]


def with_constant(module: Any, name: str, value: float, run: Callable[[], Any]) -> Any:
    """Run something while a constant of a module has another value."""
    with patch.object(module, name, value):
        return run()


def sandbox() -> tuple[str, Ways]:
    """Return the ways of HumanEval's solutions in the sandbox."""
    solutions = dataset_rows("openai/openai_humaneval", None, "test")
    cases = [humaneval_case(row, row["canonical_solution"]) for row in solutions]
    ways = {
        f"as it is, {cores() + 1} at a time": partial(run_many, cases),
        "`--sandbox limits`": partial(run_many, cases, mode="limits"),
    }
    ways |= {f"{n} at a time": partial(run_many, cases, workers=n) for n in (cores(), 2 * cores())}
    return f"{len(cases)} solutions in the sandbox", ways


def seeking() -> tuple[str, Ways]:
    """Return the ways of Seeking's sensitivities, at the largest size of the step."""
    teacher = Architecture(llama(VOCABULARY, 512, layers=4))
    student = Architecture(llama(VOCABULARY, 384, layers=2, seed=1))
    rows = texts(16, VOCABULARY)
    run = partial(sensitivity.extract, teacher, student, rows)
    ways = {f"as it is, {sensitivity.EXAMPLES_AT_ONCE} examples at a time": run}
    ways |= {f"{n} at a time": partial(with_constant, sensitivity, "EXAMPLES_AT_ONCE", n, run) for n in (1, 16)}
    ways |= {"rows and columns, no windows": partial(run, choice="rows_columns")}
    return "Seeking's sensitivities", ways | {"the peer": partial(whole_passes, teacher, student, rows)}


def laten() -> tuple[str, Ways]:
    """Return the ways of LaTen's scores at the middle size of the step: how many logits are added up at once."""
    race = laten_scores(texts=20, vocabulary=8_000, width=256)
    ways = {f"as it is, {readout.LOGITS_IN_CACHE:,} logits at a time": race.ours}
    ways |= {f"{n:,} at a time": partial(with_constant, readout, "LOGITS_IN_CACHE", n, race.ours)
             for n in (2**16, 2**20, 2**22)}  # fmt: skip
    return "LaTen's neuron scores", ways | {"the peer": race.peer}


def cross_entropy() -> tuple[str, Ways]:
    """Return the ways of cross-entropy at Llama 2's width: how many logits are in memory at once."""
    race = output_cross_entropy(vocabulary=32_000, width=4_096, positions=256)
    ways = {f"as it is, at most {token_losses.LOGITS_AT_ONCE:,} logits": race.ours}
    ways |= {f"at most {n:,}": partial(with_constant, token_losses, "LOGITS_AT_ONCE", n, race.ours)
             for n in (2**20, 2**22)}  # fmt: skip
    return "Cross-entropy", ways | {"the peer": race.peer}


def states_read(rows: int, width: int) -> tuple[str, Ways]:
    """Return the ways of reading states back: one by one, all in order, or whole files into new or old memory."""
    folder, lengths = tempfile.TemporaryDirectory(), [len(example) for example in texts(rows, 16)]
    store = StateStore(Path(folder.name), {}, lengths, width)
    store.ensure(lambda wanted: [torch.randn(lengths[i], width) for i in wanted])
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(0)).tolist()
    files = sorted(store.folder.iterdir())
    memory = bytearray(sum(path.stat().st_size for path in files))

    def one_by_one(chosen: list[int]) -> None:
        opened = StateStore(Path(folder.name), {}, lengths, width)
        for i in chosen:
            opened[i].clone()

    def into_old_memory() -> None:
        start = 0
        for path in files:
            with path.open("rb", buffering=0) as file:
                start += file.readinto(memoryview(memory)[start:]) or 0

    ways = {
        "as it is": partial(one_by_one, order),
        "in order": partial(one_by_one, sorted(order)),
        "the peer, whole files": lambda: [path.read_bytes() for path in files],
        "whole files into memory in use": into_old_memory,
    }
    return f"States read back, {rows} rows of width {width:,}", ways


def inverse() -> tuple[str, Ways]:
    """Return the ways of inverting a Gram matrix of Llama 2's width, from its Cholesky factor."""
    factor = torch.linalg.cholesky(gram(random_head(8_000, 4_096)))

    def threaded(number: int, invert: Callable[[], Any]) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        invert()
        torch.set_num_threads(before)

    forms = {"as it is": factor.cholesky_inverse, "blocks": partial(inverse_by_blocks, factor)}
    given = {1: "1 thread", 2: "2 threads"}
    ways = {f"{name}, {given[n]}": partial(threaded, n, form) for name, form in forms.items() for n in given}
    return "Inverse of a Gram matrix", ways


def evaluation() -> tuple[str, Ways]:
    """Return the ways of a task's answers on one thread."""
    torch.set_num_threads(1)
    model = load_model("micro-student")
    asked = requests("micro_humaneval", 128, model.tokenizer)
    ours, theirs = engines(model, 64)
    run = partial(answers, ours, asked)
    costs = {"earlier": 0.5, "later": 8, "only when all of a batch have ended": math.inf}
    ways = {"as it is": run}
    ways |= {f"room {name}": partial(with_constant, decoding, "COST", cost, run) for name, cost in costs.items()}
    return "Answers to micro-HumanEval", ways | {"lm-eval": partial(answers, theirs, asked)}


def generation() -> tuple[str, Ways]:
    """Return the ways of transformers' own greedy decoding by the micro student on one thread, with other caches."""
    torch.set_num_threads(1)
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
    return f"{n} tokens for {len(ids)} prompts, by `generate`", ways
