"""The family's tokenizer: a byte-level BPE of 1,024 tokens that splits numbers into digits.

Line breaks are separate tokens. Text that is encoded in two pieces, split at the start of a line or before a word's
leading space, therefore has the same ids as the whole text.
"""

import random
from collections.abc import Iterable, Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from semalign.micro.corpus import KINDS

VOCABULARY_SIZE = 1024
END, PAD = "<|endoftext|>", "<|pad|>"
SAMPLE_PER_KIND = 1500
SAMPLED_KINDS = ("mmlu", "gsm8k", "humaneval", "mbpp", "statements", "quiz", "retelling", "snippet")
FACT_SAMPLE = 8000  # there are many names and values, and each is rare
SEED = 1024


def _sample() -> Iterator[str]:
    """Yield documents of every kind, prompts and responses separately."""
    rng = random.Random(SEED)
    for kind in SAMPLED_KINDS:
        for _ in range(FACT_SAMPLE if kind == "statements" else SAMPLE_PER_KIND):
            yield from KINDS[kind](rng)


def train_tokenizer(tokens: int = VOCABULARY_SIZE, texts: Iterable[str] | None = None) -> PreTrainedTokenizerFast:
    """Train a tokenizer of so many tokens on texts; None: on a sample of the corpus, by a seed of its own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("\n"), behavior="isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=tokens,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample() if texts is None else texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, bos_token=END, pad_token=PAD, model_max_length=512,
        padding_side="left", clean_up_tokenization_spaces=False,
    )  # fmt: skip
