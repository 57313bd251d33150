"""LaTen on tiny pairs: which weights change, the saved model, the record, and early errors."""

import pytest
import torch
from helpers.laten import FAST, LARGE, located_neurons
from helpers.models import make_architecture, make_llama
from transformers import AutoModelForCausalLM, AutoTokenizer

from semalign.data.rows import encode
from semalign.methods.runner import run_method
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel, load_model
from semalign.results.records import read_record
from semalign.training.finetuning import response_nll


@torch.no_grad()
def logits(model, tokenizer, text="what is 1+2?"):
    return model(torch.tensor([tokenizer(text)["input_ids"]])).logits


def snapshot(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def unchanged(model, before):
    return all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.slow
def test_weights_change_exactly_at_the_chosen_neurons(pair, rows):
    student = pair[1]
    before = [snapshot(m.model) for m in pair]
    changed = run_method("laten", *pair, rows, **FAST, **LARGE).model.model
    assert all(unchanged(m.model, old) for m, old in zip(pair, before, strict=True))
    assert all(
        p.grad is None and p.requires_grad for m in (*pair, LanguageModel(changed, None)) for p in m[0].parameters()
    )
    _, taken = located_neurons(pair, rows)
    config, expected = student.model.config, {}
    for path, kind, rows_change in (
        ("mlp.up_proj", "ffn", True),
        ("mlp.down_proj", "ffn", False),
        ("self_attn.v_proj", "attention", True),
        ("self_attn.o_proj", "attention", False),
    ):
        for k, chosen in zip(*taken[kind], strict=True):
            mask = torch.zeros_like(student.model.model.layers[k - 1].get_submodule(path).weight, dtype=torch.bool)
            places = set(chosen.tolist())
            if path == "self_attn.o_proj":
                group = config.num_attention_heads // config.num_key_value_heads
                places = {
                    query * config.head_dim + d % config.head_dim
                    for d in places
                    for query in range(config.num_attention_heads)
                    if query // group == d // config.head_dim
                }
            (mask if rows_change else mask.T)[sorted(places)] = True
            expected[f"model.layers.{k - 1}.{path}.weight"] = mask
    assert len(expected) == 4 * 4
    for name, tensor in changed.state_dict().items():
        mask = expected.get(name, torch.zeros_like(tensor, dtype=torch.bool))
        assert torch.equal(tensor != before[1][name], mask), name


@pytest.mark.slow
def test_the_saved_folder_is_a_plain_model(pair, rows, unseen, tmp_path):
    result = run_method("laten", *pair, rows, output_dir=tmp_path / "run", validation=unseen[:2], **FAST, **LARGE)
    folder, tokenizer = tmp_path / "run", pair[1].tokenizer
    assert result.adapter_dir == folder
    expected = logits(result.model.model, tokenizer)
    assert not torch.equal(expected, logits(pair[1].model, tokenizer))
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    assert type(plain) is type(pair[1].model)
    assert unchanged(plain, result.model.model.state_dict())
    for loaded in ((plain, AutoTokenizer.from_pretrained(folder)), load_model(folder, dtype=torch.float64)):
        torch.testing.assert_close(logits(*loaded), expected, rtol=0, atol=1e-12)
    record = read_record(folder / "record.json")
    assert "model.safetensors" in record["details"].pop("files") and record == result.record
    assert not [path for path in folder.iterdir() if path.name.startswith(".") or path.suffix == ".bin"]


@pytest.mark.slow
def test_the_record_says_what_was_done(teacher, student, rows, unseen):
    record = run_method("laten", teacher, student, rows, validation=unseen[:3], task="sums", seed=3, **FAST).record
    assert (record["method"], record["task"], record["seed"], record["n"]) == ("laten", "sums", 3, 3)
    details = record["details"]
    assert record["metric"] == "response_nll"
    assert record["value"] == details["after"]["response_nll"]
    expected = response_nll(Architecture(student.model), encode(unseen[:3], student.tokenizer, student.context_length))
    assert details["before"]["response_nll"] == pytest.approx(expected)
    assert [len(losses) for losses in (record["losses"], details["layers"]["ffn"])] == [2, 4]
    assert details["neurons_each_layer"] == {"ffn": 4, "attention": 2}
    assert record["configuration"]["learning_rate"] == 3e-5
    assert details["hypernetwork_parameters"] == 4 * (16 * 16 + 16 * 12)
    assert 0 < details["delta_rms"]["up"] < 1e-6  # near zero at first, and few small steps keep it so
    plain = run_method("laten", teacher, student, rows, steps=3, **FAST).record
    assert (plain["metric"], plain["value"]) == ("training_loss", sum(plain["losses"][-1].values()))
    assert len(plain["losses"]) == 3


@pytest.mark.slow
def test_the_seed_decides(teacher, student, rows):
    def weights(**settings):
        return run_method("laten", teacher, student, rows, **FAST, **LARGE, **settings).model.model.state_dict()

    first, again, other = weights(), weights(), weights(seed=1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_few_rows_come_again_and_the_global_random_state_is_left_alone(teacher, student, rows, caplog, tmp_path):
    state = torch.get_rng_state()
    record = run_method("laten", teacher, student, rows[:5], output_dir=tmp_path, **{**FAST, "steps": 3}).record
    assert len(record["losses"]) == 3
    assert f"{record['n']} rows of own data" in (tmp_path / "README.md").read_text()
    assert "2 rows to train on, not align_size=6" in caplog.text
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.slow
def test_tied_embeddings_and_strangers_vocabularies(student, tokenizer, rows):
    """Neurons say nothing of the vocabulary, so it may differ; tied weights stay tied."""
    tied = LanguageModel(make_llama(len(tokenizer), 12, 4, seed=2, tie_word_embeddings=True), tokenizer)
    changed = run_method("laten", student, tied, rows, **FAST, **LARGE).model.model
    assert changed.lm_head.weight is changed.model.embed_tokens.weight
    assert torch.equal(changed.lm_head.weight, tied.model.lm_head.weight)


def test_a_teacher_of_fewer_neurons_gives_all_it_has(tokenizer, student, rows):
    teacher = LanguageModel(make_llama(len(tokenizer), 16, 3, seed=1, intermediate_size=3), tokenizer)
    details = run_method("laten", teacher, student, rows, **FAST).record["details"]
    assert details["neurons_each_layer"]["ffn"] == 3
    assert len(details["layers"]["ffn"]) == 3


def test_bad_input_is_refused_before_any_long_work(teacher, student, rows, tokenizer, monkeypatch):
    for long_work in ("laten.method.attribute_neurons", "held_out.row_nll", "laten.method.Alignment.run"):
        monkeypatch.setattr(f"semalign.methods.{long_work}", lambda *_, **__: pytest.fail("long work"))

    def refused(message, data=rows, teacher=teacher, student=student, error=ValueError, **settings):
        with pytest.raises(error, match=message):
            run_method("laten", teacher, student, data, **{**FAST, **settings})

    gpt2 = make_architecture("gpt2", n_embd=16, n_layer=2, n_head=2, vocab_size=len(tokenizer))
    refused("the teacher is a GPT2LMHeadModel", teacher=LanguageModel(gpt2, tokenizer))
    refused("the student is a GPT2LMHeadModel", student=LanguageModel(gpt2, tokenizer))
    refused("learning_rte", learning_rte=1)
    refused("3 rows leave none to train on after extract_size=3", data=rows[:3])
    refused("data set is empty", data=[])
    refused("more than the context of 64", data=[*rows[:5], {"prompt": "x", "response": "y" * 64}])
    refused("less than or equal to 1", neuron_share=1.5)
    refused("no data file", data="missing.jsonl", error=FileNotFoundError)
    refused("no model 'missing-model'", teacher="missing-model", error=FileNotFoundError)
