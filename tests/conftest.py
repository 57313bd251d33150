"""Tiny real models on the CPU: they exercise everything in seconds, offline."""

import os

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from semalign.models.loading import LanguageModel
from semalign.sandbox import SandboxError, sandbox_mode

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 .,?:+-*=\n"
PAIRS = [a + b for a in "aeiou" for b in "bcdlmnrst"]


def pytest_configure():
    """Where bubblewrap does not work, the tests run programs with limits only; tests of bubblewrap say so and skip."""
    try:
        sandbox_mode()
    except SandboxError:
        os.environ["SEMALIGN_SANDBOX"] = "limits"


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory, monkeypatch):
    """Keep the cache of every test apart from the user's."""
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
    torch.set_num_threads(1)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty data root, the only one there is."""
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path / "nowhere"))
    return tmp_path


def make_tokenizer(words: list[str] | None = None) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer over letters and some pairs of letters."""
    words = PAIRS if words is None else words
    alphabet = [pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(c)[0][0] for c in LETTERS]
    vocabulary = {token: i for i, token in enumerate(["<eos>", "<pad>", *dict.fromkeys(alphabet), *words])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [tuple(word) for word in words]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>")


def make_llama(vocab_size: int, hidden_size: int, layers: int, seed: int, **config) -> LlamaForCausalLM:
    """Return a small random Llama in float64, evaluation mode."""
    torch.manual_seed(seed)
    settings = {
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "intermediate_size": 2 * hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 1,
        "initializer_range": 0.2,
    }
    return LlamaForCausalLM(LlamaConfig(**{**settings, **config})).double().eval()


@pytest.fixture(scope="session")
def tokenizer():
    return make_tokenizer()


@pytest.fixture
def teacher(tokenizer) -> LanguageModel:
    return LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)


@pytest.fixture
def student(tokenizer) -> LanguageModel:
    return LanguageModel(make_llama(len(tokenizer), 12, 4, seed=2), tokenizer)


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return [{"prompt": f"what is {a}+{b}?", "response": f" {a}+{b}={a + b}."} for a in range(4) for b in range(3)]


def make_architecture(model_type: str, **config):
    """Return a small random model of any architecture of transformers, by its model type."""
    from transformers import AutoConfig

    torch.manual_seed(0)
    settings = AutoConfig.for_model(model_type, **{"vocab_size": 64, **config})
    return AutoModelForCausalLM.from_config(settings).double().eval()
