"""Chat formats: they turn a question and the beginning of its answer into the text that a model continues."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

from semalign.data import chat_template

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import PreTrainedTokenizerBase

ChatName = Literal["plain", "tulu", "llama2", "model"]
Chat = Callable[[str, str], str]


def chat_format(name: str, tokenizer: "PreTrainedTokenizerBase | None" = None) -> Chat:
    """Return the function that turns a question and the beginning of its answer into the prompt.

    No format writes the beginning-of-sequence token where the tokenizer adds it.

    Args:
        name: ``plain`` (no markers: the answer begins on the next line), ``tulu`` (open-instruct, which the prior
            work evaluates with), ``llama2`` (Touvron et al. 2023), or ``model``: the tokenizer's own template.
        tokenizer: only ``model`` needs it.

    Raises:
        ValueError: for an unknown name, or ``model`` with a tokenizer that has no chat template.
    """
    if name not in get_args(ChatName):
        raise ValueError(f"no chat format {name!r}: choose from {', '.join(get_args(ChatName))}")
    if name == "model":
        return _of_model(tokenizer)
    return {"plain": _plain, "tulu": _tulu, "llama2": _llama2}[name]


def _plain(question: str, answer: str) -> str:
    return f"{question}\n{answer}" if answer else question


def _tulu(question: str, answer: str) -> str:
    return f"<|user|>\n{question}\n<|assistant|>\n{answer}"


def _llama2(question: str, answer: str) -> str:
    return f"[INST] {question.strip()} [/INST]" + (f" {answer}" if answer else "")


def _of_model(tokenizer: "PreTrainedTokenizerBase | None") -> Chat:
    """Return the tokenizer's format: its template for a finished exchange, cut where the answer begins."""
    if tokenizer is None or tokenizer.chat_template is None:
        raise ValueError("chat 'model' needs a tokenizer with a chat template: use plain, tulu or llama2")

    def render(question: str, answer: str) -> str:
        before, _ = chat_template.around_answer(tokenizer, [{"role": "user", "content": question}])
        return before + answer if answer else before.rstrip(" ")

    return render
