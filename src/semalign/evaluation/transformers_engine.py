"""lm-eval's Hugging Face model class for a model that is already in memory, which it leaves unchanged."""

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
from torch import Tensor
from tqdm.auto import tqdm

from semalign.evaluation.cache import roomy_cache
from semalign.evaluation.decoding import Decoder, decodes
from semalign.evaluation.generation import Ends, FiniteLogits, StopStrings
from semalign.evaluation.likelihoods import chooses_logits, likelihoods
from semalign.evaluation.same_tokens import SameTokens, padded
from semalign.files import json_fingerprint
from semalign.models.answers import undisturbed
from semalign.models.architecture import plain_model
from semalign.models.finite import check_logits
from semalign.models.identity import end_tokens
from semalign.models.loading import LanguageModel
from semalign.models.precision import wide
from semalign.models.rope import reset, varying
from semalign.models.wide_head import wide_head

# Settings that greedy decoding follows, and those of sampling, which it does not read.
GREEDY = {"do_sample", "until", "max_gen_toks", "temperature", "top_p", "top_k"}


class InMemoryModel(SameTokens, HFLM):
    """A loaded model in the form that lm-eval needs; the tokenizer is a copy, since lm-eval sets its padding token.

    Where the rope depends on the length of a text, rows come one by one, so that each has its own.
    """

    def __init__(self, model: LanguageModel, batch_size: int) -> None:
        plain = plain_model(model.model)
        self.varying = varying(plain)
        super().__init__(
            pretrained=plain,
            tokenizer=copy.deepcopy(model.tokenizer),
            backend="causal",
            batch_size=1 if self.varying else batch_size,
        )

    def _model_call(self, inps: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self._forget()
        with wide_head(self.model):
            logits = super()._model_call(inps, *args, **kwargs)
        check_logits(logits, self.model, partial(self.model, inps))
        return wide(logits)

    def _forget(self) -> None:
        for module in self.varying:
            reset(module)

    @property
    def embeddings(self) -> int:
        """Number of the model's embeddings."""
        return len(self.model.get_input_embeddings().weight)

    @property
    def filler(self) -> int:
        """The token that pads a batch, and a row that has ended; it has an embedding."""
        special = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id)
        return next((token for token in special if token is not None and token < self.embeddings), 0)

    def tok_batch_encode(self, strings: Sequence[str], **options: Any) -> tuple[Tensor, Tensor]:
        """Return the token ids of some prompts, padded on the left, and the attention mask."""
        return padded(self.tok_encode(strings, left_truncate_len=options.get("left_truncate_len")), self.filler)

    def tok_decode(self, tokens: int | Sequence[int] | Tensor | None, skip_special_tokens: bool = True) -> str:
        """Return the text of tokens that continue a prompt; Llama's tokenizer drops a space at the start of a text."""
        if tokens is None:  # the end of sequence of a tokenizer that has none
            return ""
        before = self.tokenizer.encode("\n", add_special_tokens=False)
        after = before + torch.as_tensor(tokens).flatten().tolist()
        start, text = (self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens) for ids in (before, after))
        return text.removeprefix(start)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return the text for each request; sampled ones, and those of unusual models, come from ``generate``."""
        settings = [normalize_gen_kwargs(request.args[1], self.max_gen_toks) for request in requests]
        several = len({repr(request.args) for request in requests}) < len(requests)
        if several and any(each["do_sample"] for each in settings):
            return self._sampled(requests, disable_tqdm)
        if self.varying or not decodes(self.model) or any(map(_asks_for_more, settings)):
            return super().generate_until(requests, disable_tqdm)
        alike: dict[str, list[int]] = defaultdict(list)
        for number, each in enumerate(settings):
            alike[repr(each)].append(number)
        texts = [""] * len(requests)
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Running generate_until requests") as bar:
            for numbers in alike.values():
                for number, text in self._decoded(
                    numbers, [requests[n].args[0] for n in numbers], settings[numbers[0]]
                ):
                    texts[number] = text
                    self.cache_hook.add_partial("generate_until", requests[number].args, text)
                    bar.update()
        return texts

    def _sampled(self, requests: list[Instance], disable_tqdm: bool) -> list[str]:
        """Return several texts for each prompt, drawn from the seed and the prompt: not from what else is asked.

        So an evaluation that was killed ends with the texts that it would have had. Where each prompt has one text,
        batches of one would be too slow, and prompts are drawn together.
        """
        seed, texts = torch.initial_seed(), [""] * len(requests)
        alike: dict[str, list[int]] = defaultdict(list)
        for number, request in enumerate(requests):
            alike[json_fingerprint([seed, *request.args])].append(number)
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Running generate_until requests") as bar:
            for key, numbers in alike.items():
                torch.manual_seed(int(key, 16))
                found = super().generate_until([requests[number] for number in numbers], disable_tqdm=True)
                for number, text in zip(numbers, found, strict=True):
                    texts[number] = text
                bar.update(len(numbers))
        torch.manual_seed(seed)
        return texts

    def _decoded(self, numbers: list[int], prompts: list[str], settings: Any) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of each answer to some prompts, as soon as it has ended."""
        most, end = settings["max_gen_toks"], self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        until = handle_stop_sequences(settings["until"], end)
        strings = [string for string in until if string and string != end]
        tokens = end_tokens(self.model.generation_config, self.tokenizer) or []
        ends = Ends(strings, self.tokenizer, tokens, most)
        decoder = Decoder(self.model, ends, self.batch_size, self.filler, self.max_length)
        for answer in decoder.answers(self.tok_encode(prompts, left_truncate_len=self.max_length - most)):
            yield numbers[answer.prompt], postprocess_generated_text(self.tok_decode(answer.tokens), until, None)

    def _loglikelihood_tokens(
        self, requests: list[Any], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        if self.varying or not chooses_logits(self.model):
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        found: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        pairs = [(context, continuation) for _, context, continuation in requests]
        rows = override_bs or self.batch_size
        with tqdm(total=len(requests), disable=disable_tqdm, desc="Running loglikelihood requests") as bar:
            for batch in likelihoods(self.model, pairs, rows, self.max_length):
                for number, value, greedy in batch:
                    found[number] = value, greedy
                    if (texts := requests[number][0]) is not None:
                        self.cache_hook.add_partial("loglikelihood", texts, found[number])
                bar.update(len(batch))
        return found

    def _model_generate(self, context: Tensor, max_length: int, stop: list[str], **generation: Any) -> Tensor:
        ends = self.tokenizer.eos_token
        strings = [string for string in stop if string and string != ends]  # the end token stops a row by itself
        if not generation.get("do_sample"):
            generation = {**generation, "do_sample": False, "temperature": None}
        self._forget()
        return self.model.generate(
            input_ids=context,
            max_length=max_length,
            past_key_values=roomy_cache(self.model.config),
            logits_processor=[FiniteLogits(self.model)],
            stopping_criteria=[StopStrings(strings, self.tokenizer, context.shape[1])] if strings else None,
            pad_token_id=self.filler,
            **generation,
        )


def _asks_for_more(settings: Mapping[str, Any]) -> bool:
    """Return whether settings of a generation ask for something else than greedy decoding."""
    return settings["do_sample"] or bool(set(settings) - GREEDY)


@contextmanager
def transformers_engine(model: LanguageModel, batch_size: int) -> Iterator[InMemoryModel]:
    """Yield a loaded model in the form that lm-eval needs; the model is as before when the block ends."""
    with undisturbed(plain_model(model.model), model.tokenizer):
        yield InMemoryModel(model, batch_size)
