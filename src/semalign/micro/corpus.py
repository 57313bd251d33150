"""The pretraining corpus: documents in the form of the benchmarks and in other forms, mixed by a recipe.

A document alternates prompts and responses; its first prompt may be empty. Documents in the form of a benchmark use
only the pretraining pools (facts, functions) and word problems outside the benchmarks, so none is a benchmark row.

Row ``i`` of a corpus depends on the seed and ``i`` alone, so that training can resume at any row.
"""

import random
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float32, Int64
from transformers import PreTrainedTokenizerBase

from semalign.micro import arithmetic, benchmarks, function_family, knowledge

Document = tuple[str, ...]


def _mmlu(rng: random.Random) -> Document:
    fact = rng.choice(knowledge.fact_splits()["pool"])
    return benchmarks.prompt_and_response("micro-mmlu", knowledge.mmlu_row(fact, rng))


def _gsm8k(rng: random.Random) -> Document:
    row = arithmetic.gsm8k_row(arithmetic.problem(rng))
    if row["question"] in benchmarks.held_out_questions():
        return _gsm8k(rng)
    return benchmarks.prompt_and_response("micro-gsm8k", row)


def _humaneval(rng: random.Random) -> Document:
    function = rng.choice(function_family.function_splits()["pool"])
    return benchmarks.humaneval_prompt(function), function.body


def _mbpp(rng: random.Random) -> Document:
    function = rng.choice(function_family.function_splits()["pool"])
    positions = rng.sample(range(function_family.BATTERY_SIZE), function_family.MBPP_ASSERTS)
    lines = function_family.asserts_at(function, positions, function.name)
    row = {"text": benchmarks.mbpp_text(function), "test_list": lines, "code": function.source}
    return benchmarks.prompt_and_response("micro-mbpp", row)


def _snippet(rng: random.Random) -> Document:
    """Return a function in the other wording, with other names and, in some documents, an example call."""
    function = rng.choice(function_family.function_splits()["pool"])
    parameters = ("p", "q") if function.domain == "int" else ("v",)
    lines = [f"# Plan: {function.retelling}"]
    if rng.random() < 0.3:
        position = rng.randrange(function_family.BATTERY_SIZE)
        value = function_family.outputs(function)[position]
        lines.append(f"# {function_family.call(function, position, 'f')} gives {value}")
    return "\n".join([*lines, "f ="]), f" lambda {', '.join(parameters)}: {function.expression(*parameters)}"


KINDS: dict[str, Callable[[random.Random], Document]] = {
    "mmlu": _mmlu,
    "gsm8k": _gsm8k,
    "humaneval": _humaneval,
    "mbpp": _mbpp,
    "statements": lambda rng: ("", knowledge.statements(rng)),
    "quiz": knowledge.quiz,
    "retelling": arithmetic.retelling,
    "snippet": _snippet,
}


def document(mixture: Mapping[str, float], rng: random.Random) -> Document:
    """Draw one document; ``mixture`` gives each kind's share of the documents."""
    kind = rng.choices(list(mixture), weights=list(mixture.values()))[0]
    return KINDS[kind](rng)


def encode(
    document: Document, tokenizer: PreTrainedTokenizerBase, prompt_weight: float, least_weight: float
) -> tuple[list[int], list[float]]:
    """Return the token ids of a document and their weights in the loss.

    Prompt tokens have weight ``prompt_weight`` and response tokens weight 1. A short response has larger weights, so
    that the whole response has at least the weight ``least_weight``. Otherwise a one-letter response would hardly
    count among the tokens of worked solutions. Prompts and responses are encoded separately, as in generation. The end
    token has weight 1.
    """
    ids: list[int] = []
    weights: list[float] = []
    for position, text in enumerate(document):
        piece = tokenizer.encode(text, add_special_tokens=False) if text else []
        weight = max(1.0, least_weight / max(1, len(piece))) if position % 2 else prompt_weight
        ids += piece
        weights += [weight] * len(piece)
    return [*ids, tokenizer.eos_token_id], [*weights, 1.0]


def packed_row(
    mixture: Mapping[str, float],
    seed: int,
    index: int,
    length: int,
    tokenizer: PreTrainedTokenizerBase,
    prompt_weight: float = 1.0,
    least_weight: float = 1.0,
) -> tuple[Int64[np.ndarray, " length"], Float32[np.ndarray, " length"]]:
    """Return row ``index`` of the corpus and the weights of its tokens.

    A row consists of consecutive documents and is cut at ``length``; it begins at the start of a document.
    """
    rng = random.Random(f"{seed}-{index}")
    ids: list[int] = []
    weights: list[float] = []
    while len(ids) < length:
        more_ids, more_weights = encode(document(mixture, rng), tokenizer, prompt_weight, least_weight)
        ids += more_ids
        weights += more_weights
    return np.asarray(ids[:length], dtype=np.int64), np.asarray(weights[:length], dtype=np.float32)
