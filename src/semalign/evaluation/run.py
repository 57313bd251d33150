"""Evaluate a model on a task: this module gives lm-eval the model and the items, and keeps the result."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import lm_eval.api.task
import lm_eval.evaluator
import torch
from lm_eval.api.task import ConfigurableTask
from tqdm.auto import tqdm

from semalign.data import tasks
from semalign.data.task_file import TaskFile, task_file
from semalign.evaluation import item_scores
from semalign.evaluation.context import fit
from semalign.evaluation.engines import answered_by, engine_identity, engine_of
from semalign.evaluation.items import item_samples, scores_of
from semalign.evaluation.journal import resumed, write_lines
from semalign.evaluation.vllm_engine import VllmModel
from semalign.models import processes
from semalign.models.loading import LanguageModel
from semalign.results.records import companion_path
from semalign.sandbox import sandbox_mode


@dataclass(frozen=True)
class Evaluation:
    """A model's score on one split of a task.

    Attributes:
        source: the task file.
        split: which split was scored.
        value: mean of the primary metric over the items, 0-100.
        n: number of items.
        low: lower end of the 95% interval, 0-100: Wilson's, or the bootstrap's over items where these have shares.
        high: upper end.
        seconds: wall-clock time; of an evaluation that was killed, the time of its last part.
        chat: chat format of the prompts.
        decoding: how answers were generated, with ``samples`` an item and ``seed``; None for multiple choice.
        sandbox: how the programs of the model were isolated, see :func:`semalign.sandbox.sandbox_mode`; None for a
            task that runs none.
        scores: all metrics of the task, 0-100 (GSM8K: the same answers by four rules).
        groups: the primary metric by group (MMLU: subject), 0-100; empty where the task has none.
        samples: one dict for each item: ``doc_id``, ``prompt``, ``target``, ``correct`` (or a share),
            ``scores`` (0-1), and either ``generation`` and what was ``extracted`` from it, lists with several samples,
            or ``choice`` and all ``log_likelihoods``.
    """

    source: TaskFile
    split: str
    value: float
    n: int
    low: float
    high: float
    seconds: float
    chat: str
    decoding: dict[str, Any] | None
    sandbox: str | None
    scores: dict[str, float]
    groups: dict[str, float]
    samples: list[dict[str, Any]] = field(repr=False)

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.source.name

    @property
    def metric(self) -> str:
        """The primary metric, as ``name,extraction``."""
        return self.source.metadata["primary"]


def evaluate(
    model: LanguageModel | VllmModel,
    task: str | Path,
    *,
    split: str = "test",
    limit: int | None = None,
    batch_size: int = 64,
    chat: str | None = None,
    record_path: Path | None = None,
) -> Evaluation:
    """Evaluate a model, plain or with PEFT adapters, on one split of a task.

    Args:
        model: a model in memory with its tokenizer, or one that vLLM loads. Neither the model, nor the tokenizer, nor
            the state of random numbers is changed.
        task: the name of a bundled task, or the path of a task file; see :func:`semalign.data.task_file.task_file`.
        split: which split to score; the test split is for final numbers only.
        limit: score the first items only; of each group where the task has groups (MMLU: of each subject).
        batch_size: items at a time; with several samples an item, samples of one item.
        chat: see :func:`semalign.data.chat.chat_format`; None: as the task file says.
        record_path: where the caller will write the record of this evaluation. All samples are kept in the same folder,
            as ``NAME.samples.jsonl.gz``, and while the evaluation runs every answer, as ``NAME.answers.jsonl.gz``: an
            evaluation that was killed continues from these. They stay until the record is written.

    Raises:
        ValueError: for an unknown task, an incomplete task file, an unknown chat format, an impossible limit, or a
            prompt too long for the context; in one of several processes; or for an answer to which the task's own
            functions give no score (:mod:`semalign.evaluation.item_scores`).
        FileNotFoundError: if there is no such task file, or neither a data root nor the hub has the split.
        SandboxError: before anything is generated, if the task runs programs and there is no sandbox for them.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    processes.check_alone("evaluate")
    started = time.perf_counter()
    with tasks.quiet_engine():
        source, sandbox = task_file(task), sandbox_of(task)
        loaded = tasks.load_task(task, split, limit, chat=chat, tokenizer=model.tokenizer)
        with engine_of(model, batch_size) as engine, _one_bar():
            fit(loaded, engine)
            answers = resumed(engine, record_path, lambda: _identity(model, source, loaded))
            with answers as answering, item_scores.checked(loaded):
                results = run_task(answering, loaded)
                samples = item_samples(loaded, results["samples"][source.name])
                if record_path is not None:
                    write_lines(companion_path(record_path, "samples"), samples)
        return Evaluation(
            source=source,
            split=split,
            n=len(samples),
            seconds=time.perf_counter() - started,
            chat=tasks.chat_name(task, chat),
            decoding=_decoding(loaded),
            sandbox=sandbox,
            samples=samples,
            **scores_of(loaded, results["results"][source.name], samples),
        )


def sandbox_of(task: str | Path) -> str | None:
    """Return how the programs of a task are isolated, None for a task that runs none.

    Raises:
        SandboxError: if there is no sandbox for them.
    """
    return sandbox_mode() if task_file(task).runs_programs else None


def run_task(engine: Any, task: ConfigurableTask) -> dict[str, Any]:
    """Let lm-eval answer and score a loaded task; return its results, with the logged samples."""
    if (seed := task.config.metadata.get("seed")) is not None:
        torch.manual_seed(seed)
    tasks = {"tasks": {task.config.task: task}, "groups": {}, "group_map": {}}
    return dict(lm_eval.evaluator.evaluate(engine, tasks, bootstrap_iters=0) or {})


def _identity(model: LanguageModel | VllmModel, source: TaskFile, task: ConfigurableTask) -> dict[str, Any]:
    """Return what an answer depends on, apart from the prompt."""
    drawn = {"drawn": "by prompt"} if task.config.repeats > 1 else {}
    asked = {"task": source.name, "version": source.version, "decoding": _decoding(task), **drawn, **source.own_file}
    return {**engine_identity(model), "computed_by": answered_by(model), **asked}


def _decoding(task: ConfigurableTask) -> dict[str, Any] | None:
    if task.OUTPUT_TYPE != "generate_until":
        return None
    settings = {**task.config.generation_kwargs, "samples": task.config.repeats}
    return {**settings, **({"seed": task.config.metadata["seed"]} if settings["do_sample"] else {})}


@contextmanager
def _one_bar() -> Iterator[None]:
    """Show lm-eval's progress bar over the requests, not the one for building them."""
    bar = lm_eval.api.task.tqdm
    lm_eval.api.task.tqdm = partial(tqdm, disable=True)
    try:
        yield
    finally:
        lm_eval.api.task.tqdm = bar
