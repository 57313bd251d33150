"""Score generated code for the task files: complete programs, run them all with their tests, count passes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from semalign.sandbox import run_many

Document = Mapping[str, Any]


def humaneval_case(document: Document, generation: str) -> tuple[str, str]:
    """Return program and tests of a HumanEval item: the prompt goes on as generated, then ``check`` runs."""
    return document["prompt"] + generation, f"{document['test']}\ncheck({document['entry_point']})\n"


def mbpp_case(document: Document, generation: str) -> tuple[str, str]:
    """Return program and tests of an MBPP item: the generation is the program, the asserts follow."""
    return generation, "\n".join([document["test_setup_code"], *document["test_list"], ""])


def run_humaneval(generations: Sequence[Sequence[str]], documents: Sequence[Document]) -> list[list[dict[str, Any]]]:
    """Run all samples of all HumanEval items (lm-eval's custom filter)."""
    return _run(humaneval_case, generations, documents)


def run_mbpp(generations: Sequence[Sequence[str]], documents: Sequence[Document]) -> list[list[dict[str, Any]]]:
    """Run all samples of all MBPP items (lm-eval's custom filter)."""
    return _run(mbpp_case, generations, documents)


def _run(
    case: Callable[[Document, str], tuple[str, str]],
    generations: Sequence[Sequence[str]],
    documents: Sequence[Document],
) -> list[list[dict[str, Any]]]:
    pairs = zip(documents, generations, strict=True)
    outcomes = iter(run_many(case(document, text) for document, texts in pairs for text in texts))
    return [[next(outcomes)._asdict() for _ in texts] for texts in generations]


def pass_at_1(document: Document, results: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    """Return the share of an item's samples that passed (lm-eval's ``process_results``)."""
    samples = results[0]
    return {"pass@1": sum(sample["passed"] for sample in samples) / len(samples)}
