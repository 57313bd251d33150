"""The pretraining corpus: documents of the benchmarks' form and of other forms, mixed by a recipe.

A document alternates prompts and responses; a first prompt may be empty. The benchmark forms only ever speak of
the pretraining pools (facts, functions) and of word problems outside the benchmarks,
so no benchmark row can occur. Row ``i`` of a corpus depends on the seed and ``i`` alone, so training resumes
anywhere.
"""

import random
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Int64
from transformers import PreTrainedTokenizerBase

from semalign.micro import arithmetic, benchmarks, function_family, knowledge

Document = tuple[str, ...]


def _mmlu(rng: random.Random) -> Document:
    fact = rng.choice(knowledge.fact_splits()["pool"])
    return benchmarks.prompt_and_response("micro-mmlu", knowledge.mmlu_row(fact, rng.randrange(4), rng))


def _open_book(rng: random.Random) -> Document:
    """A micro-MMLU question after the fact that answers it: only the letter has to be found."""
    fact = rng.choice(knowledge.fact_splits()["pool"])
    row = knowledge.mmlu_row(fact, rng.randrange(4), rng)
    prompt, response = benchmarks.prompt_and_response("micro-mmlu", row)
    return f"{knowledge.sentence(fact, rng)}\n{prompt}", response


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
    """A function in other words, under another name, with other parameter names, perhaps with examples."""
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
    "open_book": _open_book,
    "told_quiz": lambda rng: knowledge.quiz(rng, told=True),
}
BENCHMARK_FORMS = ("mmlu", "gsm8k", "humaneval", "mbpp")


def document(mixture: Mapping[str, float], rng: random.Random) -> Document:
    """Draw one document; ``mixture`` gives each kind's share of the documents."""
    kind = rng.choices(list(mixture), weights=list(mixture.values()))[0]
    return KINDS[kind](rng)


def encode(document: Document, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[bool]]:
    """Token ids of a document and whether each belongs to a response.

    Prompts and responses are encoded apart, as in generation; the end token belongs to the last response.
    """
    ids: list[int] = []
    answers: list[bool] = []
    for position, text in enumerate(document):
        piece = tokenizer.encode(text, add_special_tokens=False) if text else []
        ids += piece
        answers += [position % 2 == 1] * len(piece)
    return [*ids, tokenizer.eos_token_id], [*answers, True]


def packed_row(
    mixture: Mapping[str, float], seed: int, index: int, length: int, tokenizer: PreTrainedTokenizerBase
) -> tuple[Int64[np.ndarray, " length"], Bool[np.ndarray, " length"]]:
    """Row ``index`` of the corpus and which of its tokens are responses.

    Documents on end, cut at ``length``; the row starts with a document's start.
    """
    rng = random.Random(f"{seed}-{index}")
    ids: list[int] = []
    answers: list[bool] = []
    while len(ids) < length:
        more_ids, more_answers = encode(document(mixture, rng), tokenizer)
        ids += more_ids
        answers += more_answers
    return np.asarray(ids[:length], dtype=np.int64), np.asarray(answers[:length])
