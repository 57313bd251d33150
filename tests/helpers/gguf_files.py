"""A tiny Llama with a byte-level tokenizer, and the way to write it as a GGUF file."""

from pathlib import Path

import numpy as np
import torch
from gguf import GGUFWriter
from tokenizers import pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
MERGES = ["Ġ Ġ", "1 2", "h e", "l l", "he ll", "hell o", "Ġ hello"]
MERGED = ["".join(merge.split(" ")) for merge in MERGES]
WHOLE = ["Ġworld"]  # in the vocabulary without a merge that leads to it
TOKENS = SPECIAL + ALPHABET + MERGED + WHOLE
TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
HEADS, KV_HEADS = 4, 2


def _permute(weight: torch.Tensor, heads: int) -> np.ndarray:
    """Order query and key rows as llama.cpp wants them: rotary pairs side by side."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns).numpy()


def _tensors(model: LlamaForCausalLM) -> dict[str, np.ndarray]:
    names = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    tensors = {
        "token_embd.weight": model.model.embed_tokens.weight.detach().numpy(),
        "output_norm.weight": model.model.norm.weight.detach().numpy(),
    }
    for number, layer in enumerate(model.model.layers):
        for ours, theirs in names.items():
            tensors[f"blk.{number}.{theirs}.weight"] = layer.get_submodule(ours).weight.detach().numpy()
        query, key = layer.self_attn.q_proj.weight.detach(), layer.self_attn.k_proj.weight.detach()
        tensors[f"blk.{number}.attn_q.weight"] = _permute(query, HEADS)
        tensors[f"blk.{number}.attn_k.weight"] = _permute(key, KV_HEADS)
    return tensors


def write_gguf(path: Path, model: LlamaForCausalLM, pre: str = "smollm", kind: str = "gpt2") -> Path:
    """Write ``model`` and a byte-level tokenizer with the pre-tokenizer named ``pre``."""
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(model.config.num_hidden_layers)
    writer.add_context_length(64)
    writer.add_embedding_length(model.config.hidden_size)
    writer.add_feed_forward_length(model.config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(model.config.hidden_size // HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    for name, array in _tensors(model).items():
        writer.add_tensor(name, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tiny_llama() -> LlamaForCausalLM:
    """Return a two-layer model with random weights and norms that are not all ones."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).eval()
    for norm in (parameter for name, parameter in model.named_parameters() if "norm" in name):
        norm.data.uniform_(0.5, 1.5)
    return model
