"""Small random models and tokenizers."""

from dataclasses import replace

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from semalign.bases.basis import SemanticBasis
from semalign.models.layouts import LAYOUTS

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 .,?:+-*=\n"
PAIRS = [a + b for a in "aeiou" for b in "bcdlmnrst"]
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
SPECIAL = {
    "gpt2": {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 32},
    "gpt_neox": {key: value for key, value in SMALL.items() if key not in ("num_key_value_heads", "head_dim")},
    "phi3": {**SMALL, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0}},
    "gemma2": {**SMALL, "sliding_window": 4, "query_pre_attn_scalar": 8},
    "gemma3_text": {**SMALL, "sliding_window": 4, "query_pre_attn_scalar": 8, "sliding_window_pattern": 2},
    "apertus": {**SMALL, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}},
    "cohere": {**SMALL, "logit_scale": 0.25},
    "cohere2": {**SMALL, "logit_scale": 0.25, "sliding_window": 4},
    "granite": {
        **SMALL,
        "embedding_multiplier": 12.0,
        "attention_multiplier": 0.25,
        "residual_multiplier": 0.22,
        "logits_scaling": 8.0,
    },
    "mixtral": {**SMALL, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": {**SMALL, **EXPERTS, "shared_expert_intermediate_size": 8, "mlp_only_layers": [1]},
    "qwen3_moe": {**SMALL, **EXPERTS},
    "deepseek_v3": {
        **{key: value for key, value in SMALL.items() if key != "head_dim"},
        "num_key_value_heads": 2,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 8,
        "first_k_dense_replace": 1,
        "n_group": 2,
        "topk_group": 1,
        "q_lora_rank": 8,
        "kv_lora_rank": 8,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 4,
        "v_head_dim": 8,
    },
}
TYPES = [model_type for model_type in LAYOUTS if model_type != "gemma3"]  # its vision tower is not tiny


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


def make_architecture(model_type: str, **config):
    """Return a small random model of any architecture of transformers, by its model type."""
    from transformers import AutoConfig

    torch.manual_seed(0)
    settings = AutoConfig.for_model(model_type, **{"vocab_size": 64, **config})
    # The fast kernel of experts knows no float64.
    return AutoModelForCausalLM.from_config(settings, experts_implementation="eager").double().eval()


def exact_basis(model):
    basis = SemanticBasis.from_model(model)
    return replace(basis, vectors=basis.vectors.double())


def randomise(adapted):
    """LoRA starts at B = 0, where half of the gradients vanish: move away from it."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.data = torch.randn(parameter.shape, dtype=torch.float64) * 0.1


def head(v=200, d=12, seed=0):
    """Return the weights of a small random head."""
    return torch.randn(v, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)
