"""Random models of moderate size, and texts whose lengths spread like those of a benchmark."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from semalign.data.rows import Example

HEAD = 64


def llama(vocabulary: int, width: int, layers: int, *, inner: int | None = None, seed: int = 0) -> LlamaForCausalLM:
    """Return a random Llama in float32 with four query heads for each key-value head, in evaluation mode.

    Args:
        vocabulary: number of tokens.
        width: width of the residual stream, a multiple of 64, the size of a head.
        layers: number of layers.
        inner: width of the MLP; by default three times that of the stream.
        seed: seed of the weights.
    """
    torch.manual_seed(seed)
    heads = width // HEAD
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner or 3 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 4),
        max_position_embeddings=1024,
    )
    return LlamaForCausalLM(config).eval().requires_grad_(False)


def texts(rows: int, vocabulary: int, mean: float = 5.09, spread: float = 0.43, longest: int = 512) -> list[Example]:
    """Return random texts whose lengths are log-normal, by default as MBPP's rows are to SmolLM2's tokenizer.

    Args:
        rows: number of texts.
        vocabulary: number of tokens.
        mean: mean of the logarithm of a length.
        spread: its standard deviation.
        longest: most tokens of a text.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = torch.empty(rows, device="cpu").log_normal_(mean, spread, generator=generator)
    lengths = drawn.clamp(8, longest).int().tolist()
    ids = [tuple(torch.randint(vocabulary, (n,), generator=generator, device="cpu").tolist()) for n in lengths]
    return [Example(each, len(each) // 2, tuple(map(str, each)), tuple(range(1, len(each) + 1))) for each in ids]
