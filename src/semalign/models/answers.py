"""A model's own answers to prompts, as texts to train on: greedy, by ``generate`` of transformers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from semalign.models.architecture import plain_model
from semalign.models.evaluating import evaluating
from semalign.models.identity import end_tokens
from semalign.models.loading import LanguageModel
from semalign.models.random_state import same_random_state
from semalign.models.rope import varying

LONGEST = 512  # tokens of an answer
ROWS = 64  # prompts at once


def greedy_answers(model: LanguageModel, prompts: Sequence[str]) -> list[str | None]:
    """Return the text that the most likely tokens make after each prompt, up to the end of sequence.

    An answer is None if it is empty, or does not end within :data:`LONGEST` tokens or the context. Prompts have the
    tokens with which :meth:`semalign.models.loading.LanguageModel.encode` begins them in a row.

    Args:
        model: the model; its own generation settings give the end tokens and nothing else.
        prompts: texts to continue.
    """
    network, tokenizer = plain_model(model.model), model.tokenizer
    encoder = model.encoder
    ids = [encoder.prompt(prompt).ids for prompt in prompts]
    ends = end_tokens(network.generation_config, tokenizer) or []
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    rows = 1 if varying(network) else ROWS  # where the rope depends on a text's length, each has its own
    answers: list[str | None] = [None] * len(ids)
    with undisturbed(network, tokenizer):
        for start in tqdm(range(0, len(order), rows), desc="answers", leave=False, disable=None):
            part = order[start : start + rows]
            width = max(len(ids[i]) for i in part)
            for i, tokens in zip(part, _continued(model, [ids[i] for i in part], ends), strict=True):
                if tokens is None and _most(model, len(ids[i])) > _most(model, width):  # alone it has more room
                    (tokens,) = _continued(model, [ids[i]], ends)
                answers[i] = _text(model, ids[i], tokens)
    return answers


def _continued(model: LanguageModel, prompts: Sequence[Sequence[int]], ends: list[int]) -> list[list[int] | None]:
    """Return the tokens after each prompt, without the end token; None for those that do not end."""
    network, width = plain_model(model.model), max(map(len, prompts))
    filler = ends[0] if ends else 0
    ids = torch.tensor([[filler] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=network.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=network.device)
    most = _most(model, width)
    if most < 1:
        return [None] * len(prompts)
    options = {"do_sample": False, "max_new_tokens": most, "pad_token_id": filler}
    given = network.generate(input_ids=ids, attention_mask=mask, **options)[:, width:].tolist()  # type: ignore[operator]
    found = [next((n for n, token in enumerate(row) if token in ends), None) for row in given]
    return [None if n is None else row[:n] for row, n in zip(given, found, strict=True)]


def _most(model: LanguageModel, width: int) -> int:
    """Return how many tokens an answer may have after prompts that are padded to a width."""
    return min(LONGEST, model.context_length - width)


def _text(model: LanguageModel, prompt: list[int], answer: list[int] | None) -> str | None:
    """Return the text of an answer as it continues its prompt, None for an empty one or one that does not end."""
    if not answer:
        return None
    decode = model.encoder.decode
    return decode([*prompt, *answer]).removeprefix(decode(prompt)) or None


@contextmanager
def undisturbed(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """Prepare a model for evaluation while the block runs; afterwards it is as before, and so are random numbers.

    Inside the block decoding follows the task file alone. Only the end tokens of the model's own generation settings
    stay, since a chat model may end its turn with another token than its tokenizer's.
    """
    settings = model.generation_config
    model.generation_config = GenerationConfig(eos_token_id=end_tokens(settings, tokenizer))
    try:
        with same_random_state(), evaluating(model):
            yield
    finally:
        model.generation_config = settings
