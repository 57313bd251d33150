"""Models with random weights at the shapes of a check, rows for them, and the measurement of a phase on a device."""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from semalign import LanguageModel
from semalign.data.rows import Example
from semalign.models.architecture import Architecture


class Texts(NamedTuple):
    """How many texts there are, and how long prompt and response are, in tokens."""

    rows: int
    prompt: int
    response: int


@dataclass(frozen=True)
class Shapes:
    """The sizes of a check: both configurations, the texts of training, and those of attribution and generation."""

    teacher: LlamaConfig
    student: LlamaConfig
    texts: Texts
    attributed: int
    micro_batch_size: int
    answer: int
    slice_layers: int


def llama(layers: int, width: int, mlp: int, heads: int, vocabulary: int, context: int = 4096) -> LlamaConfig:
    """Return the configuration of a Llama without grouped queries."""
    return LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=mlp, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=context,
        bos_token_id=None, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip


SHAPES = {
    "llama2": Shapes(  # Table 3; rows as long as GSM8K's
        llama(40, 5120, 13824, 40, 32000), llama(32, 4096, 11008, 32, 32000), Texts(64, 100, 140), 8, 4, 64, 4
    ),
    "tiny": Shapes(llama(5, 64, 96, 4, 300, 128), llama(4, 48, 64, 4, 300, 128), Texts(8, 12, 10), 4, 2, 4, 2),
}


@dataclass
class Measured:
    """What a phase took.

    Attributes:
        phase: its name.
        model: ``teacher`` or ``student``.
        seconds: time.
        peak: peak memory of the device in bytes, weights included; None on a CPU, where PyTorch does not count it.
        tokens: tokens that were read or written, padding included; None if the phase reads none.
        details: other numbers.
    """

    phase: str
    model: str
    seconds: float = 0.0
    peak: int | None = None
    tokens: int | None = None
    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def measured(phase: str, model: str, device: torch.device, tokens: int | None = None) -> Iterator[Measured]:
    """Measure time and peak memory of the block."""
    found = Measured(phase, model, tokens=tokens)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    yield found
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        found.peak = torch.cuda.max_memory_allocated(device)
    found.seconds = time.perf_counter() - start


def free(device: torch.device) -> None:
    """Give memory that nothing uses back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def random_model(config: LlamaConfig, dtype: torch.dtype, device: torch.device, seed: int) -> LanguageModel:
    """Return a model with random weights, made on the device, and a tokenizer with a word for each token."""
    torch.manual_seed(seed)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            model = LlamaForCausalLM(config).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(default)
    words = {"<eos>": 0, **{f"w{i}": i for i in range(1, config.vocab_size)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<eos>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return LanguageModel(model, PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>"))


def examples(texts: Texts, vocabulary: int) -> list[Example]:
    """Return random rows of equal length."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, vocabulary, (texts.rows, texts.prompt + texts.response), generator=generator)
    rows = [(*row, 0) for row in ids.tolist()]  # with the end of sequence
    return [Example(row, texts.prompt, tuple(f"w{i}" for i in row), tuple(range(len(row)))) for row in rows]


def warm_up(device: torch.device) -> None:
    """Load the libraries of linear algebra before a clock starts."""
    square = torch.eye(64, dtype=torch.float64, device=device)
    torch.linalg.qr(torch.linalg.cholesky(square @ square))


@contextmanager
def only(model: LanguageModel, layers: Sequence[int], device: torch.device) -> Iterator[None]:
    """Keep only some layers of a model on the device while the block runs, as a transfer does."""
    architecture = Architecture(model.model)
    others = [layer for k, layer in enumerate(architecture.layers, start=1) if k not in layers]
    for layer in others:
        layer.to("cpu")
    free(device)
    try:
        yield
    finally:
        for layer in others:
            layer.to(device)
