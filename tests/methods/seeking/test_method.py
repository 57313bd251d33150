"""Seeking on tiny pairs: files that load, what trains, the record, resumption, and early errors."""

import json

import pytest
import torch
from helpers.models import SPECIAL, make_architecture, make_llama
from helpers.seeking import LLAMA, logits
from peft import PeftModel

from semalign.methods.runner import run_method
from semalign.methods.seeking.injection import as_plain_lora
from semalign.methods.seeking.sensitivity import check_fit, extract
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.paths import cache_dir
from semalign.results.records import read_record
from semalign.settings import TransferSettings
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "seed_examples": 3}


@pytest.mark.slow
@pytest.mark.parametrize("injection", ["code", "appendix"])
def test_the_folder_loads_with_plain_peft_on_the_original_student(teacher, student, rows, tmp_path, injection):
    plain, before = logits(student.model), {name: p.clone() for name, p in student.model.state_dict().items()}
    result = run_method(
        "seeking", teacher, student, rows, output_dir=tmp_path / "run", injection=injection, lora_alpha=6, **FAST
    )
    adapted = logits(result.model.model)
    assert not torch.allclose(adapted, plain, atol=1e-4)
    assert all(torch.equal(p, before[name]) for name, p in student.model.state_dict().items())
    loaded = PeftModel.from_pretrained(student.model, result.adapter_dir).eval()
    torch.testing.assert_close(logits(loaded), adapted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(logits(loaded.merge_and_unload()), adapted, rtol=1e-5, atol=1e-5)
    assert not list(tmp_path.rglob("*.bin"))
    rank = json.loads((tmp_path / "run" / "adapter_config.json").read_text())["r"]
    assert rank == (4 if injection == "code" else 2 + 12)


@pytest.mark.slow
def test_only_adapters_are_trained(teacher, student, rows, monkeypatch):
    seen = {}

    def keep(student_model, adapted, removed):
        seen.update({name: p.clone() for name, p in adapted.state_dict().items()})
        return as_plain_lora(student_model, adapted, removed)

    monkeypatch.setattr("semalign.methods.seeking.method.as_plain_lora", keep)
    ends = []
    for learning_rate in (1e-2, 1e-12):
        run_method("seeking", teacher, student, rows, **FAST, learning_rate=learning_rate)
        ends.append(dict(seen))
    changed = {name for name in ends[0] if not torch.allclose(ends[0][name], ends[1][name], atol=1e-6)}
    assert len(changed) == 2 * 7 * 4
    assert all("lora_" in name for name in changed)
    assert {name.split(".lora")[0].split(".", 5)[5] for name in changed} == set(LLAMA)


@pytest.mark.slow
def test_training_brings_the_response_nll_down_and_the_record_says_so(teacher, student, rows, unseen, tmp_path):
    settings = {**FAST, "epochs": 8, "learning_rate": 3e-3}
    result = run_method(
        "seeking", teacher, student, rows, output_dir=tmp_path, validation=unseen[:4], task="sums", **settings
    )
    record, details = read_record(tmp_path / "record.json"), result.record["details"]
    assert record["details"].pop("files") and record == result.record
    assert (record["method"], record["task"], record["metric"], record["n"]) == ("seeking", "sums", "response_nll", 4)
    assert record["value"] == details["after"]["response_nll"] < 0.95 * details["before"]["response_nll"]
    assert details["injected"]["response_nll"] == pytest.approx(details["before"]["response_nll"], rel=1e-9)
    assert len(record["losses"]) == 8 * 3
    assert record["configuration"]["injection"] == "code"
    assert len(details["layer_scores"]) == 5
    assert details["adapter_parameters"] == 4 * 2 * (4 * 24 + 3 * 36)
    assert record["fingerprints"].keys() == {"teacher", "student", "data"}


def test_depth_and_width_may_differ(tokenizer, student, rows):
    deep = LanguageModel(make_llama(len(tokenizer), 20, 7, seed=3, intermediate_size=30), tokenizer)
    details = run_method("seeking", deep, student, rows, **FAST, block="rows_columns").record["details"]
    kept = details["teacher_layers"]
    assert kept == sorted(kept)
    left_out = [score for k, score in enumerate(details["layer_scores"], start=1) if k not in kept]
    assert min(details["layer_scores"][k - 1] for k in kept) > max(left_out)


@pytest.mark.parametrize("student_kv", [1, 2])
def test_grouped_query_attention(tokenizer, rows, student_kv, tmp_path):
    teacher = LanguageModel(
        make_llama(len(tokenizer), 32, 3, seed=1, num_attention_heads=8, num_key_value_heads=2), tokenizer
    )
    student = LanguageModel(
        make_llama(len(tokenizer), 16, 2, seed=2, num_attention_heads=4, num_key_value_heads=student_kv), tokenizer
    )
    assert check_fit(Architecture(teacher.model), Architecture(student.model))["self_attn.k_proj"] == (
        4 * student_kv,
        16,
    )
    result = run_method("seeking", teacher, student, rows, output_dir=tmp_path, **{**FAST, "rank": 6})
    loaded = PeftModel.from_pretrained(student.model, tmp_path).eval()
    torch.testing.assert_close(logits(loaded), logits(result.model.model), rtol=1e-5, atol=1e-5)


def test_models_that_do_not_fit_are_refused_before_any_long_work(teacher, student, rows, tokenizer, monkeypatch):
    monkeypatch.setattr("semalign.methods.seeking.method.extract", lambda *_: pytest.fail("long work has begun"))

    def refused(message, teacher=teacher, student=student, data=rows, **settings):
        with pytest.raises(ValueError, match=message):
            run_method("seeking", teacher, student, data, **settings)

    def llama(hidden, layers, **config):
        return LanguageModel(make_llama(len(tokenizer), hidden, layers, seed=0, **config), tokenizer)

    refused("teacher has 4 layers and the student 5", student, teacher)
    refused(r"self_attn.q_proj is 8 x 8 in the teacher, smaller than 12 x 12 in the student", llama(8, 6))
    refused(r"mlp.gate_proj is 20 x 16 in the teacher, smaller than 24 x 12", llama(16, 5, intermediate_size=20))
    refused(
        r"self_attn.k_proj is 4 x 16 .* smaller than 12 x 12",
        llama(16, 5, num_attention_heads=4, num_key_value_heads=1),
    )
    gpt2 = make_architecture("gpt2", vocab_size=len(tokenizer), **SPECIAL["gpt2"])
    refused("same matrices in both models", LanguageModel(gpt2, tokenizer), llama(8, 2))
    lora = add_lora(teacher.model, [1], TransferSettings())
    refused(
        r"v_proj of layer 1 is a peft\S+Linear: Seeking needs plain matrices, so merge", LanguageModel(lora, tokenizer)
    )
    refused("data set is empty", data=[])
    refused("more than the context of 64", data=[{"prompt": "x", "response": "y" * 64}])
    refused("rnak", rnak=1)
    refused("injection", injection="paper")


@pytest.mark.slow
def test_a_run_is_repeatable_and_goes_on_and_blocks_are_found_once(teacher, student, rows, tmp_path, monkeypatch):
    whole = run_method("seeking", teacher, student, rows, output_dir=tmp_path / "a", **FAST)
    monkeypatch.setattr("semalign.methods.seeking.method.extract", lambda *_: pytest.fail("extracted again"))
    step = FineTuning._step
    with pytest.raises(ZeroDivisionError), monkeypatch.context() as stopping:
        stopping.setattr(FineTuning, "_step", lambda run, i: step(run, i) if len(run.losses) < 4 else 1 / 0)
        run_method("seeking", teacher, student, rows, output_dir=tmp_path / "b", **FAST)
    resumed = run_method("seeking", teacher, student, rows, output_dir=tmp_path / "b", **FAST)
    assert resumed.record["losses"] == whole.record["losses"]
    assert torch.equal(logits(resumed.model.model), logits(whole.model.model))
    seeded = run_method("seeking", teacher, student, rows, output_dir=tmp_path / "c", **FAST, seed=1)
    assert seeded.record["losses"] != whole.record["losses"]
    appendix = run_method("seeking", teacher, student, rows, **FAST, injection="appendix")
    assert appendix.record["details"]["teacher_layers"] == whole.record["details"]["teacher_layers"]


def test_blocks_are_found_again_where_the_file_is_damaged_or_the_teacher_another(teacher, student, rows, monkeypatch):
    monkeypatch.setattr("semalign.methods.seeking.method.response_nll", lambda *_: 0.0)
    found, settings = [], {**FAST, "epochs": 1}
    monkeypatch.setattr("semalign.methods.seeking.method.extract", lambda *given: found.append(1) or extract(*given))
    first = run_method("seeking", teacher, student, rows, **settings).record
    (path,) = (cache_dir() / "seeking").iterdir()
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    again = run_method("seeking", teacher, student, rows, **settings).record
    assert len(found) == 2 and again["losses"] == first["losses"]
    run_method("seeking", teacher, student, rows, **settings)
    assert len(found) == 2
    other = make_llama(len(teacher.tokenizer), 16, 5, seed=1, rms_norm_eps=0.5)
    run_method("seeking", LanguageModel(other, teacher.tokenizer), student, rows, **settings)
    assert len(found) == 3


@pytest.mark.slow
def test_half_precision(teacher, student, rows, unseen, tmp_path):
    for model in (teacher.model, student.model):
        model.bfloat16()
    plain = logits(student.model)
    result = run_method("seeking", teacher, student, rows, output_dir=tmp_path, validation=unseen[:2], **FAST)
    details = result.record["details"]
    assert details["injected"]["response_nll"] == pytest.approx(details["before"]["response_nll"], rel=0.02)
    loaded = PeftModel.from_pretrained(student.model, tmp_path).eval()
    assert torch.equal(logits(loaded), logits(result.model.model))
    assert plain.dtype == torch.bfloat16
