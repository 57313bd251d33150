"""A small model that reads characters, and answers that it gives by a script."""

import string

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from semalign.models.loading import LanguageModel

GSM8K = {"question": "How many are 3?", "answer": "1+2=3\n#### 3"}


def character_tokenizer():
    """Return a tokenizer of one token for each printable character."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = [byte_level.pre_tokenize_str(c)[0][0] for c in string.printable]
    vocabulary = {token: i for i, token in enumerate(["<end>", "<pad>", *alphabet])}
    characters = Tokenizer(models.BPE(vocabulary, merges=[]))
    characters.pre_tokenizer, characters.decoder = byte_level, decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=characters, eos_token="<end>", pad_token="<pad>", padding_side="right"
    )


def character_model(tokenizer):
    """Return a two-layer Llama of random weights, far from uniform in what it says."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LanguageModel(LlamaForCausalLM(config), tokenizer)


def script(model, answers):
    """Make ``model.generate`` answer, whatever the order of the batch, by the prompt it is given."""
    tokenizer = model.tokenizer

    def generate(input_ids, **kwargs):
        prompts = tokenizer.batch_decode(input_ids, skip_special_tokens=True)
        ids = [[*tokenizer(answers[prompt]).input_ids, tokenizer.eos_token_id] for prompt in prompts]
        width = max(map(len, ids))
        padded = [row + [tokenizer.pad_token_id] * (width - len(row)) for row in ids]
        return torch.cat([input_ids, torch.tensor(padded)], dim=1)

    model.model.generate = generate
