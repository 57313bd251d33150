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
        ValueError: for a prompt, or a prompt with a choice, that leaves no room, or that has no token before the
            answer; it names the item.
    """
    tokens = [_tokens(task, engine, document, _said(task, item)) for item, document in enumerate(task.eval_docs)]
    longest = max(tokens)
    said = _said(task, tokens.index(longest))
    room, settings = engine.max_length - longest, task.config.generation_kwargs
    if room < 1:
        what = "its prompt with the longest choice" if task.OUTPUT_TYPE == "multiple_choice" else "its prompt"
        raise ValueError(
            f"{said}: {what} has {longest} tokens, and the model's context is {engine.max_length}: shorten the item or "
            "leave it out"
        )
    if settings and room < settings["max_gen_toks"]:
        warnings.warn(
            f"answers are limited to {room} tokens, not {settings['max_gen_toks']}: "
            f"the longest prompt ({said}) leaves no more of the model's context of {engine.max_length}",
            stacklevel=3,
        )
        settings["max_gen_toks"] = room


def _said(task: ConfigurableTask, item: int) -> str:
    return f"task {task.config.task}, item {item}"


def _tokens(task: ConfigurableTask, engine: TemplateLM, document: dict[str, Any], said: str) -> int:
    """Return how many tokens of an item are read before its answer, of choices before the last token of the longest."""
    text, chooses = tasks.prompt(task, document), task.OUTPUT_TYPE == "multiple_choice"
    # lm-eval reads a choice without a prompt behind a token of its own.
    prompt = len(engine.tok_encode(text)) or int(chooses and not text and engine.prefix_token_id is not None)
    if not prompt:
        raise ValueError(
            f"{said}: its prompt {text!r} has no token, and an answer needs one before it: give the item some text, or "
            "leave it out"
        )
    if not chooses:
        return prompt
    endings = [f"{task.config.target_delimiter}{choice}" for choice in task.doc_to_choice(document)]
    if prompt + max(len(ending.encode()) for ending in endings) < engine.max_length:  # no token is empty
        return prompt
    return prompt + max(len(engine._encode_pair(text, ending)[1]) for ending in endings) - 1
