"""Whether the prompts of a task fit a model's context, with room for its answers."""

import warnings
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.api.task import ConfigurableTask

from semalign.data import tasks


def fit(task: ConfigurableTask, engine: TemplateLM) -> None:
    """Make sure that every prompt fits the context, with room for an answer; lm-eval would cut it on the left.

    Where the longest prompt leaves too little room for an answer as long as the task allows, answers are limited to
    what is left, with a warning.

    Args:
        task: a loaded task.
        engine: what reads its prompts.

    Raises:
        ValueError: for a prompt, or a prompt with a choice, that leaves no room.
    """
    longest = max(_tokens(task, engine, document) for document in task.eval_docs)
    room, settings = engine.max_length - longest, task.config.generation_kwargs
    if room < 1:
        what = "a prompt with its longest choice" if task.OUTPUT_TYPE == "multiple_choice" else "a prompt"
        raise ValueError(f"{what} has {longest} tokens, and the model's context is {engine.max_length}")
    if settings and room < settings["max_gen_toks"]:
        warnings.warn(
            f"answers are limited to {room} tokens, not {settings['max_gen_toks']}: "
            f"the longest prompt leaves no more of the model's context of {engine.max_length}",
            stacklevel=3,
        )
        settings["max_gen_toks"] = room


def _tokens(task: ConfigurableTask, engine: TemplateLM, document: dict[str, Any]) -> int:
    """Return how many tokens of an item are read before its answer, of choices before the last token of the longest."""
    text = tasks.prompt(task, document)
    prompt = len(engine.tok_encode(text))
    if task.OUTPUT_TYPE != "multiple_choice":
        return prompt
    endings = [f"{task.config.target_delimiter}{choice}" for choice in task.doc_to_choice(document)]
    if prompt + max(len(ending.encode()) for ending in endings) < engine.max_length:  # no token is empty
        return prompt
    return max(sum(map(len, engine._encode_pair(text, ending))) for ending in endings) - 1
