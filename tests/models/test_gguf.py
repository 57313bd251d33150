"""GGUF loading against a tiny Llama written to a GGUF file by the test itself."""

import pytest
import torch
from helpers.gguf_files import SPECIAL, TOKENS, tiny_llama, write_gguf
from transformers import AutoModelForCausalLM, AutoTokenizer

from semalign.models.gguf import load_gguf
from semalign.models.loading import load_model


@pytest.fixture(scope="module")
def original():
    return tiny_llama()


@pytest.fixture(scope="module")
def loaded(original, tmp_path_factory):
    return load_gguf(write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", original))


def test_logits_are_those_of_the_model_that_was_written(original, loaded):
    ids = torch.randint(0, len(TOKENS), (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(loaded[0](ids).logits, original(ids).logits)


def test_no_trace_of_quantization_and_saves(loaded, tmp_path):
    model, _ = loaded
    assert not hasattr(model.config, "quantization_config")
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert (model.config.bos_token_id, model.config.eos_token_id, model.config.pad_token_id) == (1, 2, 2)


def test_weights_come_in_the_dtype_asked_for(original, tmp_path):
    model, _ = load_gguf(write_gguf(tmp_path / "tiny.gguf", original), dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_digits_are_split_as_in_smollm(loaded):
    tokenizer = loaded[1]
    assert tokenizer.tokenize("12345") == ["1", "2", "3", "4", "5"]
    # GPT-2's own pattern would give the last space to the digit: "a", "Ġ", "Ġ", "1"
    assert tokenizer.tokenize("a  1") == ["a", "ĠĠ", "1"]


def test_other_pre_tokenizers_keep_digits_together(original, tmp_path):
    _, tokenizer = load_gguf(write_gguf(tmp_path / "tiny.gguf", original, pre="gpt-2"))
    assert tokenizer.tokenize("12") == ["12"]
    assert tokenizer.tokenize("a  1") == ["a", "Ġ", "Ġ", "1"]


def test_llama3_rules_take_whole_tokens_and_begin_with_bos(original, tmp_path):
    _, tokenizer = load_gguf(write_gguf(tmp_path / "tiny.gguf", original, pre="llama-bpe"))
    assert tokenizer.tokenize("hello world") == ["hello", "Ġworld"]
    tokenizer.save_pretrained(tmp_path)
    for each in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        assert each("hello")["input_ids"] == [1, TOKENS.index("hello")]


def test_text_round_trips_also_after_saving(loaded, tmp_path):
    loaded[1].save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("hello  world 12", "def f(x):\n    return x + 10\n", "héllo — 日本 ½", " 3.14 "):
        ids = loaded[1](text)["input_ids"]
        assert loaded[1].decode(ids) == text
        assert again(text)["input_ids"] == ids


def test_special_tokens_template_and_length_are_kept(loaded):
    tokenizer = loaded[1]
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        SPECIAL[1],
        SPECIAL[2],
        SPECIAL[2],
    )
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) == (
        "<|im_start|>hi<|im_end|>"
    )
    assert tokenizer("<|im_end|>")["input_ids"] == [2]
    assert tokenizer.model_max_length == 64
    assert len(tokenizer) == len(TOKENS)


def test_unknown_pre_tokenizer_is_an_error_that_names_it(original, tmp_path):
    with pytest.raises(ValueError, match="no-such-rules"):
        load_gguf(write_gguf(tmp_path / "tiny.gguf", original, pre="no-such-rules"))


def test_unknown_tokenizer_type_is_an_error(original, tmp_path):
    with pytest.raises(ValueError, match="rwkv"):
        load_gguf(write_gguf(tmp_path / "tiny.gguf", original, kind="rwkv"))


def test_missing_or_foreign_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        load_gguf(tmp_path / "absent.gguf")
    (tmp_path / "text.gguf").write_text("not a checkpoint, only some words" * 3)
    with pytest.raises(ValueError, match="not a GGUF file"):
        load_gguf(tmp_path / "text.gguf")


def test_a_file_that_is_cut_off_or_holds_nan_is_one_line(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf", tiny_llama())
    content = path.read_bytes()
    for length in (len(content) - 1000, 3000, 40, 4):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"tiny\.gguf is damaged, or holds no causal language model") as error:
            load_gguf(path)
        assert "\n" not in str(error.value)
    model = tiny_llama()
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"model\.layers\.0\.mlp\.up_proj\.weight holds NaN or infinity"):
        load_model(write_gguf(path, model))
