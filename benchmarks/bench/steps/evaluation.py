"""Tasks as `semalign evaluate` answers them, against lm-eval's own class for the same model and items."""

import copy
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from bench.race import Race, step
from bench.small import llama, texts
from semalign import load_model
from semalign.data import tasks
from semalign.evaluation.transformers_engine import InMemoryModel
from semalign.models.loading import LanguageModel


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
    rounds=(2, 2, 2),
    says="The bundled student, greedily, 64 items at a time.",
)
def evaluation(task: str, items: int) -> Race:
    """The same requests by both classes."""
    torch.set_num_threads(1)
    model = load_model("micro-student")
    asked = requests(task, items, model.tokenizer)
    ours, theirs = engines(model, 64)
    return Race(ours=lambda: answers(ours, asked), peer=lambda: answers(theirs, asked), difference=differ)


@step(
    title="Questions with four letters",
    peer="lm-eval's `HFLM`",
    reach=1.0,
    sizes=[{"questions": 8, "vocabulary": 49_152}, {"questions": 32, "vocabulary": 49_152}],
    rounds=(2, 1),
    growth={"questions": 1.0},
    says="Four requests a question. Both sides run its text once for all letters; ours makes the logits that are asked "
    "for, lm-eval those of all tokens. Four random layers, SmolLM2's number of tokens, 16 questions at a time.",
)
def questions(questions: int, vocabulary: int) -> Race:
    """Log-likelihoods of four letters behind each of some texts whose lengths spread as MBPP's do."""
    network = llama(vocabulary, 512, layers=4)
    ours, theirs = engines(LanguageModel(network, load_model("micro-student").tokenizer), 16)
    contexts = [list(text.input_ids) for text in texts(questions, vocabulary)]
    asked = [((str(n), str(letter)), ids, [letter]) for n, ids in enumerate(contexts) for letter in range(4)]

    def found(engine: HFLM) -> list[Any]:
        with torch.no_grad():
            return engine._loglikelihood_tokens(asked, disable_tqdm=True)

    return Race(ours=lambda: found(ours), peer=lambda: found(theirs), difference=differ)


def engines(model: LanguageModel, rows: int) -> tuple[InMemoryModel, HFLM]:
    """Return both classes for a model, with so many rows in a batch."""
    theirs = HFLM(pretrained=model.model, tokenizer=copy.deepcopy(model.tokenizer), batch_size=rows)
    return InMemoryModel(model, rows), theirs
