"""Evaluate a model on a task: lm-eval does the work, this module hands it the model and keeps the result."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import lm_eval.api.task
import lm_eval.evaluator
from lm_eval.api.task import ConfigurableTask
from tqdm.auto import tqdm

from semalign import benchmarks
from semalign.engine import InMemoryModel, plain_model, undisturbed
from semalign.models import LanguageModel
from semalign.sandbox import sandbox_mode
from semalign.statistics import wilson_interval


@dataclass(frozen=True)
class Evaluation:
    """A model's score on one split of a task.

    Attributes:
        task: name of the task.
        split: which split was scored.
        metric: the primary metric, as ``name,extraction``.
        value: its mean over the items, 0-100.
        n: number of items.
        low: lower end of the 95% Wilson interval, 0-100.
        high: upper end.
        seconds: wall-clock time.
        version: version of the task file.
        sandbox: how the programs of the model were kept apart, see :func:`semalign.sandbox.sandbox_mode`; None for a
            task that runs none.
        scores: all metrics of the task, 0-100 (GSM8K: strict and flexible extraction).
        samples: one dict for each item: ``doc_id``, ``prompt``, ``target``, ``correct``, and either
            ``generation`` and what was ``extracted`` from it, or ``choice`` and all ``log_likelihoods``.
    """

    task: str
    split: str
    metric: str
    value: float
    n: int
    low: float
    high: float
    seconds: float
    version: float
    sandbox: str | None
    scores: dict[str, float]
    samples: list[dict[str, Any]] = field(repr=False)


def evaluate(
    model: LanguageModel, task: str, *, split: str = "test", limit: int | None = None, batch_size: int = 64
) -> Evaluation:
    """Evaluate a model, plain or with PEFT adapters, on one split of a task.

    Args:
        model: the model and its tokenizer; both are left as they were, and so is the state of random numbers.
        task: one of :func:`semalign.benchmarks.task_names`.
        split: which split to score; the test split is for final numbers only.
        limit: score the first items only.
        batch_size: items at a time.

    Raises:
        ValueError: for an unknown task, an impossible limit, or a prompt too long for the context.
        FileNotFoundError: if no data root has the split.
        SandboxError: before anything is generated, if the task runs programs and there is no sandbox for them.
    """
    started = time.perf_counter()
    with benchmarks.quiet_engine():
        sandbox = sandbox_of(task)
        loaded = benchmarks.load_task(task, split, limit)
        with undisturbed(plain_model(model.model), model.tokenizer), _one_bar():
            engine = InMemoryModel(model, batch_size)
            _fit(loaded, engine)
            tasks = {"tasks": {task: loaded}, "groups": {}, "group_map": {}}
            results = lm_eval.evaluator.evaluate(engine, tasks, bootstrap_iters=0)
        return _evaluation(loaded, split, sandbox, dict(results or {}), time.perf_counter() - started)


def sandbox_of(task: str) -> str | None:
    """Return how the programs of a task are kept apart, None for a task that runs none.

    Raises:
        SandboxError: if there is no sandbox for them.
    """
    return sandbox_mode() if benchmarks.runs_programs(task) else None


def _fit(task: ConfigurableTask, engine: InMemoryModel) -> None:
    """Make sure that every prompt fits the context, with room to answer; lm-eval would cut it on the left."""
    longest = max(engine.token_count(benchmarks.prompt(task, document)) for document in task.eval_docs)
    room, settings = engine.max_length - longest, task.config.generation_kwargs
    if room < 1:
        raise ValueError(f"a prompt has {longest} tokens, and the model's context is {engine.max_length}")
    if settings and room < settings["max_gen_toks"]:
        warnings.warn(
            f"answers are limited to {room} tokens, not {settings['max_gen_toks']}: "
            f"the longest prompt leaves no more of the model's context of {engine.max_length}",
            stacklevel=3,
        )
        settings["max_gen_toks"] = room


@contextmanager
def _one_bar() -> Iterator[None]:
    """Show lm-eval's bar over the requests, not the one over making them."""
    bar = lm_eval.api.task.tqdm
    lm_eval.api.task.tqdm = partial(tqdm, disable=True)
    try:
        yield
    finally:
        lm_eval.api.task.tqdm = bar


def _evaluation(
    task: ConfigurableTask, split: str, sandbox: str | None, results: dict[str, Any], seconds: float
) -> Evaluation:
    name, primary = task.config.task, task.config.metadata["primary"]
    metric, extraction = primary.split(",")
    logged = [sample for sample in results["samples"][name] if sample["filter"] == extraction]
    samples = [_sample(task, sample, metric) for sample in logged]
    scores = {key: 100 * float(value) for key, value in results["results"][name].items() if key in _metrics(task)}
    low, high = wilson_interval(sum(sample["correct"] for sample in samples), len(samples))
    return Evaluation(
        task=name,
        split=split,
        metric=primary,
        value=scores[primary],
        n=len(samples),
        low=100 * low,
        high=100 * high,
        seconds=seconds,
        version=float(task.VERSION),
        sandbox=sandbox,
        scores=scores,
        samples=samples,
    )


def _metrics(task: ConfigurableTask) -> set[str]:
    return {f"{metric},{ensemble.name}" for metric in task.aggregation() for ensemble in task._filters}


def _sample(task: ConfigurableTask, logged: dict[str, Any], metric: str) -> dict[str, Any]:
    sample = {"doc_id": logged["doc_id"], "prompt": logged["arguments"][0][0], "target": logged["target"]}
    if task.OUTPUT_TYPE == "multiple_choice":
        likelihoods = [value for value, _ in logged["filtered_resps"]]
        sample["choice"] = likelihoods.index(max(likelihoods))
        sample["log_likelihoods"] = likelihoods
    else:
        sample["generation"] = logged["resps"][0][0]
        extracted = logged["filtered_resps"][0]
        sample["extracted"] = extracted[0] if isinstance(extracted, list) else extracted
    return {**sample, "correct": bool(logged[metric])}
