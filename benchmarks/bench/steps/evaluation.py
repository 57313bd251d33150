"""Tasks as `semalign evaluate` answers them, against lm-eval's own class for the same model and items."""

import copy
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from bench.race import Race, step
from semalign import load_model
from semalign.data import tasks
from semalign.evaluation.transformers_engine import InMemoryModel


def requests(task: str, items: int, tokenizer: Any) -> list[Instance]:
    """Return the requests of the first items of a task."""
    with tasks.quiet_engine():
        loaded = tasks.load_task(task, "test", items, tokenizer=tokenizer)
        loaded.build_all_requests()
    return loaded.instances


def answers(engine: Any, asked: list[Instance]) -> list[Any]:
    """Return the answers to requests, all of one kind."""
    with torch.no_grad():
        return getattr(engine, asked[0].request_type)(asked, disable_tqdm=True)


def differ(ours: list[Any], theirs: list[Any]) -> float:
    """Return the largest difference of a log-likelihood, or the number of answers with another text."""
    if isinstance(ours[0], str):
        return float(sum(a != b for a, b in zip(ours, theirs, strict=True)))
    return max(abs(a[0] - b[0]) for a, b in zip(ours, theirs, strict=True))


@step(
    title="A task's answers",
    peer="lm-eval's `HFLM`",
    reach=1.0,
    sizes=[
        {"task": "micro_mmlu", "items": 256},
        {"task": "micro_gsm8k", "items": 128},
        {"task": "micro_humaneval", "items": 128},
    ],
    rounds=(3, 2, 2),
    says="The bundled student, greedily, 64 items at a time.",
)
def evaluation(task: str, items: int) -> Race:
    """The same requests by both classes."""
    torch.set_num_threads(1)
    model = load_model("micro-student")
    asked = requests(task, items, model.tokenizer)
    ours = InMemoryModel(model, 64)
    theirs = HFLM(pretrained=model.model, tokenizer=copy.deepcopy(model.tokenizer), batch_size=64)
    return Race(ours=lambda: answers(ours, asked), peer=lambda: answers(theirs, asked), difference=differ)
