"""Score generated code for the task files: complete the programs, run them with their tests, count those that pass."""

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from math import comb
from typing import Any, TypeVar

from semalign.sandbox import run_many

Document = Mapping[str, Any]
Case = tuple[str, str]
KS = (1, 10)
Scorer = TypeVar("Scorer", bound=Callable[..., Any])


def reads(**columns: str) -> Callable[[Scorer], Scorer]:
    """Note the columns that a function reads of each item, which are then checked before anything is generated."""

    def noted(function: Scorer) -> Scorer:
        function.columns = columns  # type: ignore[attr-defined]
        return function

    return noted


of_humaneval = reads(prompt="text", test="text", entry_point="name")
of_mbpp = reads(test_setup_code="text", test_list="texts")


def humaneval_case(document: Document, generation: str) -> Case:
    """Return program and tests of a HumanEval item: prompt and generation, then a call of ``check``.

    The task file leaves out the prompt's last line break. A generation that begins with it gives an empty line.
    """
    return document["prompt"] + generation, f"{document['test']}\ncheck({document['entry_point']})\n"


def mbpp_case(document: Document, generation: str) -> Case:
    """Return program and tests of an MBPP item: the generation is the program, the asserts follow."""
    return generation, "\n".join([document["test_setup_code"], *document["test_list"], ""])


def parsable(program: str) -> str:
    """Return as many lines from the beginning of a program as Python can parse."""
    lines = program.splitlines(keepends=True)
    for end in range(len(lines), 0, -1):
        text = "".join(lines[:end])
        try:
            with warnings.catch_warnings(action="ignore"):  # about its style
                ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return text
    return ""


@of_humaneval
def run_humaneval(generations: Sequence[Sequence[str]], documents: Sequence[Document]) -> list[list[dict[str, Any]]]:
    """Run all samples of all HumanEval items as they are (lm-eval's custom filter)."""
    return _run(humaneval_case, generations, documents)


@of_mbpp
def run_mbpp(generations: Sequence[Sequence[str]], documents: Sequence[Document]) -> list[list[dict[str, Any]]]:
    """Run all samples of all MBPP items as they are (lm-eval's custom filter)."""
    return _run(mbpp_case, generations, documents)


@of_humaneval
def run_parsable_humaneval(
    generations: Sequence[Sequence[str]], documents: Sequence[Document]
) -> list[list[dict[str, Any]]]:
    """Run what Python can parse of all samples of all HumanEval items (lm-eval's custom filter)."""
    return _run(_parsable_case(humaneval_case), generations, documents)


@of_mbpp
def run_parsable_mbpp(
    generations: Sequence[Sequence[str]], documents: Sequence[Document]
) -> list[list[dict[str, Any]]]:
    """Run what Python can parse of all samples of all MBPP items (lm-eval's custom filter)."""
    return _run(_parsable_case(mbpp_case), generations, documents)


def _parsable_case(case: Callable[[Document, str], Case]) -> Callable[[Document, str], Case]:
    def shortened(document: Document, generation: str) -> Case:
        program, tests = case(document, generation)
        return parsable(program), tests

    return shortened


def _run(
    case: Callable[[Document, str], Case],
    generations: Sequence[Sequence[str]],
    documents: Sequence[Document],
) -> list[list[dict[str, Any]]]:
    """Run each distinct case once: at a low temperature most samples of an item are the same."""
    pairs = zip(documents, generations, strict=True)
    cases = [[case(document, text) for text in texts] for document, texts in pairs]
    distinct = list(dict.fromkeys(each for part in cases for each in part))
    outcomes = dict(zip(distinct, run_many(distinct), strict=True))
    return [[outcomes[each]._asdict() for each in part] for part in cases]


def unbiased_pass_at_k(n: int, passed: int, k: int) -> float:
    """Return the chance that k of n samples, drawn without replacement, contain one that passed.

    ``1 - C(n-c, k) / C(n, k)``, the estimator of Chen et al. (2021); for k = 1 it is the share ``passed / n``.

    Raises:
        ValueError: unless 1 <= k <= n and 0 <= passed <= n.
    """
    if not 1 <= k <= n or not 0 <= passed <= n:
        raise ValueError(f"pass@k needs 1 <= k <= n and 0 <= passed <= n, got n={n}, passed={passed}, k={k}")
    return (comb(n, k) - comb(n - passed, k)) / comb(n, k)


def pass_at_k(document: Document, results: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    """Return ``pass@1``, and ``pass@10`` if there are that many samples, of an item (lm-eval's ``process_results``)."""
    n, passed = len(results[0]), sum(sample["passed"] for sample in results[0])
    return {f"pass@{k}": unbiased_pass_at_k(n, passed, k) for k in KS if k <= n}
