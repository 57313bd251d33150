"""Evaluate a model on a task: lm-eval does the work, this module hands it the model and keeps the result."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import lm_eval.api.task
import lm_eval.evaluator
import torch
from lm_eval.api.model import TemplateLM
from lm_eval.api.task import ConfigurableTask
from tqdm.auto import tqdm

from semalign.data import tasks as benchmarks
from semalign.evaluation.items import group_means, interval, item_samples
from semalign.evaluation.journal import resumed, write_lines
from semalign.evaluation.transformers_engine import engine_of, model_identity
from semalign.evaluation.vllm_engine import VllmModel
from semalign.models.loading import LanguageModel
from semalign.results.records import beside_record
from semalign.sandbox import sandbox_mode


@dataclass(frozen=True)
class Evaluation:
    """A model's score on one split of a task.

    Attributes:
        task: name of the task.
        split: which split was scored.
        metric: the primary metric, as ``name,extraction``.
        value: its mean over the items, 0-100.
        n: number of items.
        low: lower end of the 95% interval, 0-100: Wilson's, or with several samples an item the bootstrap's over items.
        high: upper end.
        seconds: wall-clock time, of the last part of an evaluation that was killed.
        version: version of the task file.
        chat: chat format of the prompts.
        decoding: how answers were generated, with ``samples`` an item and ``seed``; None for multiple choice.
        sandbox: how the programs of the model were kept apart, see :func:`semalign.sandbox.sandbox_mode`; None for a
            task that runs none.
        scores: all metrics of the task, 0-100 (GSM8K: strict and flexible extraction).
        groups: the primary metric by group (MMLU: subject), 0-100; empty where the task has none.
        samples: one dict for each item: ``doc_id``, ``prompt``, ``target``, ``correct`` (a share with several samples),
            ``scores`` (0-1), and either ``generation`` and what was ``extracted`` from it, lists with several samples,
            or ``choice`` and all ``log_likelihoods``.
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
    chat: str
    decoding: dict[str, Any] | None
    sandbox: str | None
    scores: dict[str, float]
    groups: dict[str, float]
    samples: list[dict[str, Any]] = field(repr=False)


def evaluate(
    model: LanguageModel | VllmModel,
    task: str,
    *,
    split: str = "test",
    limit: int | None = None,
    batch_size: int = 64,
    chat: str | None = None,
    beside: Path | None = None,
) -> Evaluation:
    """Evaluate a model, plain or with PEFT adapters, on one split of a task.

    Args:
        model: a model in memory and its tokenizer, which are left as they were, and so is the state of random numbers;
            or one that vLLM loads.
        task: one of :func:`semalign.data.tasks.task_names`.
        split: which split to score; the test split is for final numbers only.
        limit: score the first items only; of each group where the task has groups (MMLU: of each subject).
        batch_size: items at a time.
        chat: see :func:`semalign.data.chat.chat_format`; None: as the task file says.
        beside: path of the record to come. All samples are kept beside it, ``NAME.samples.jsonl.gz``, and on the way
            there every answer, ``NAME.answers.jsonl.gz``, from which an evaluation that was killed goes on; it stays
            until the record is written.

    Raises:
        ValueError: for an unknown task or chat format, an impossible limit, or a prompt too long for the context.
        FileNotFoundError: if neither a data root nor the hub has the split.
        SandboxError: before anything is generated, if the task runs programs and there is no sandbox for them.
    """
    started = time.perf_counter()
    with benchmarks.quiet_engine():
        sandbox = sandbox_of(task)
        loaded = benchmarks.load_task(task, split, limit, chat=chat, tokenizer=model.tokenizer)
        with engine_of(model, batch_size) as engine, _one_bar():
            _fit(loaded, engine)
            with resumed(engine, beside, lambda: {**model_identity(model), **_asked(loaded)}) as answering:
                results = run_task(answering, loaded)
                name = benchmarks.chat_name(task, chat)
                result = _evaluation(loaded, split, name, sandbox, results, time.perf_counter() - started)
                if beside is not None:
                    write_lines(beside_record(beside, "samples"), result.samples)
    return result


def sandbox_of(task: str) -> str | None:
    """Return how the programs of a task are kept apart, None for a task that runs none.

    Raises:
        SandboxError: if there is no sandbox for them.
    """
    return sandbox_mode() if benchmarks.runs_programs(task) else None


def run_task(engine: Any, task: ConfigurableTask) -> dict[str, Any]:
    """Let lm-eval answer and score a loaded task; return its results, with the logged samples."""
    if (seed := task.config.metadata.get("seed")) is not None:
        torch.manual_seed(seed)
    tasks = {"tasks": {task.config.task: task}, "groups": {}, "group_map": {}}
    return dict(lm_eval.evaluator.evaluate(engine, tasks, bootstrap_iters=0) or {})


def _asked(task: ConfigurableTask) -> dict[str, Any]:
    """What an answer depends on besides model and prompt."""
    return {"task": task.config.task, "version": task.VERSION, "decoding": _decoding(task)}


def _decoding(task: ConfigurableTask) -> dict[str, Any] | None:
    if task.OUTPUT_TYPE != "generate_until":
        return None
    settings = {**task.config.generation_kwargs, "samples": task.config.repeats}
    return {**settings, **({"seed": task.config.metadata["seed"]} if settings["do_sample"] else {})}


def _fit(task: ConfigurableTask, engine: TemplateLM) -> None:
    """Make sure that every prompt fits the context, with room to answer; lm-eval would cut it on the left."""
    longest = max(len(engine.tok_encode(benchmarks.prompt(task, document))) for document in task.eval_docs)
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
    task: ConfigurableTask, split: str, chat: str, sandbox: str | None, results: dict[str, Any], seconds: float
) -> Evaluation:
    name, primary = task.config.task, task.config.metadata["primary"]
    samples = item_samples(task, results["samples"][name])
    scores = {key: 100 * float(value) for key, value in results["results"][name].items() if key in _metrics(task)}
    groups = group_means(samples)
    if groups:
        scores[primary.replace(",", "_macro,")] = sum(groups.values()) / len(groups)
    low, high = interval([sample["correct"] for sample in samples])
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
        chat=chat,
        decoding=_decoding(task),
        sandbox=sandbox,
        scores=scores,
        groups=groups,
        samples=samples,
    )


def _metrics(task: ConfigurableTask) -> set[str]:
    return {f"{metric},{ensemble.name}" for metric in task.aggregation() for ensemble in task._filters}
