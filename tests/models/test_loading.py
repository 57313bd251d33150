"""How a model is loaded, and what is said of what is none."""

import pytest
import torch
from helpers.models import make_tokenizer

from semalign.data.rows import encode
from semalign.models.loading import LanguageModel, check_given, load_model, loaded, shared_copy, unwrap


def test_a_model_comes_as_it_was_saved_and_ready_to_use(student, tmp_path):
    student.model.train().half().save_pretrained(tmp_path / "small")
    student.tokenizer.save_pretrained(tmp_path / "small")
    plain, wide = load_model(tmp_path / "small"), load_model(str(tmp_path / "small"), dtype=torch.float64)
    assert (plain.model.dtype, wide.model.dtype) == (torch.float32, torch.float64)
    assert not plain.model.training and plain.name == "small" and plain.context_length == 64
    assert torch.equal(plain.model.lm_head.weight.half(), student.model.lm_head.weight)
    assert plain.tokenizer.get_vocab() == student.tokenizer.get_vocab()


def test_what_is_loaded_stays_as_it_is(student, tmp_path):
    assert loaded(student) is student
    assert unwrap(student) == (student.model, student.tokenizer) and unwrap(student.model) == (student.model, None)
    with pytest.raises(FileNotFoundError, match="`semalign fetch NAME` gets"):
        loaded("none")


def test_a_model_that_was_made_here_is_named_by_its_class(student):
    assert student.name == "LlamaForCausalLM"
    student.model.config.name_or_path = "some/where/small"
    assert LanguageModel(*student).name == "small"


def test_a_copy_shares_memory_and_nothing_else(student):
    copied = shared_copy(student.model)
    for ours, theirs in zip(copied.parameters(), student.model.parameters(), strict=True):
        assert ours.data_ptr() == theirs.data_ptr() and ours is not theirs
        assert theirs.requires_grad and not ours.requires_grad
    copied.lm_head.register_forward_hook(lambda *_: pytest.fail("the hook of the copy ran"))
    student.model(torch.tensor([[1, 2]]))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "a model is a LanguageModel, a name or a path, not NoneType"),
        (("model", "tokenizer"), r"pass LanguageModel\(\*pair\)"),
        (torch.nn.Linear(2, 2), r"a Linear comes without its tokenizer: pass LanguageModel\(model, tokenizer\)"),
    ],
)
def test_what_is_no_model_is_told_with_what_to_pass(model, message):
    with pytest.raises(ValueError, match=message):
        check_given(model)


def test_a_device_that_is_not_there_is_told(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for device in ("gpu", "cuda:99"):
        with pytest.raises(ValueError, match=f"the device '{device}' cannot be used: "):
            load_model(tmp_path, device=device)


def test_rows_as_a_model_reads_them(student, tokenizer):
    assert student.encode([{"prompt": "ab", "response": " ac"}]) == encode(
        [{"prompt": "ab", "response": " ac"}], tokenizer, 64
    )
    student.model.config.max_position_embeddings = 3
    with pytest.raises(ValueError, match=r"row 1 has 4 tokens .*context of 3"):
        student.encode([{"prompt": "x", "response": "yz"}])
    with pytest.raises(ValueError, match=r"row 1: the tokenizer .* has no chat template"):
        student.encode([{"messages": [{"role": "assistant", "content": "x"}]}])
    longer = make_tokenizer()
    longer.add_tokens(["<tool>"])
    with pytest.raises(ValueError, match=rf"row 1: token .* has no embedding: the model has {len(tokenizer)}"):
        LanguageModel(student.model, longer).encode([{"prompt": "x", "response": "<tool>"}])
