import pytest
import torch
from helpers.models import make_llama
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from semalign.models.loading import LanguageModel

PAIRS = {
    "plain": ({}, {}),
    "grouped": (
        {"num_attention_heads": 4, "num_key_value_heads": 2},
        {"num_attention_heads": 6, "num_key_value_heads": 2},
    ),
    "shared head": ({"num_attention_heads": 4, "num_key_value_heads": 4}, {"num_key_value_heads": 1}),
}


@pytest.fixture(autouse=True)
def exact_norms(monkeypatch):
    """Let the norms of Llama compute in the states' own precision: they round to float32 in between."""

    def forward(norm, states):
        return norm.weight * states * torch.rsqrt(states.square().mean(-1, keepdim=True) + norm.variance_epsilon)

    monkeypatch.setattr(LlamaRMSNorm, "forward", forward)


@pytest.fixture(params=PAIRS.values(), ids=PAIRS.keys())
def pair(request, tokenizer):
    teacher, student = request.param
    return (
        LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1, **teacher), tokenizer),
        LanguageModel(make_llama(len(tokenizer), 12, 4, seed=2, **student), tokenizer),
    )
