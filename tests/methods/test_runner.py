"""A whole transfer on a tiny pair: adapter folder, record, resumption, and early errors."""

import copy
import json

import pytest
import torch
from helpers.models import PAIRS, make_llama, make_tokenizer, randomise
from helpers.saved_models import save
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

import semalign
from semalign.methods.runner import run_method
from semalign.models.adapters import put_adapter
from semalign.models.identity import model_identity
from semalign.models.loading import LanguageModel, load_model, shared_copy
from semalign.training.watching import Watch

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "attribution_examples": 3}


@torch.no_grad()
def logits(model, tokenizer, text="what is 1+2?"):
    return model(torch.tensor([tokenizer(text)["input_ids"]])).logits


def test_the_result_is_a_peft_adapter_that_loads_and_merges(teacher, student, rows, unseen, tmp_path):
    plain = logits(student.model, student.tokenizer)
    result = semalign.transfer(teacher, student, rows, output_dir=tmp_path / "run", validation=unseen[:2], **FAST)
    adapted = logits(result.model.model, student.tokenizer)
    assert torch.equal(logits(student.model, student.tokenizer), plain)
    assert not torch.equal(adapted, plain)
    loaded = PeftModel.from_pretrained(student.model, result.adapter_dir).eval()
    torch.testing.assert_close(logits(loaded, student.tokenizer), adapted, rtol=1e-6, atol=1e-6)
    merged = loaded.merge_and_unload()
    torch.testing.assert_close(logits(merged, student.tokenizer), adapted, rtol=1e-5, atol=1e-5)
    assert not list(tmp_path.rglob("*.bin"))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_adapter_and_a_finished_run_is_not_trained_again(teacher, student, rows, tmp_path):
    first = semalign.transfer(teacher, student, rows, output_dir=tmp_path / "a", **FAST).record
    again = semalign.transfer(teacher, student, rows, output_dir=tmp_path / "a", **FAST).record
    other = semalign.transfer(teacher, student, rows, output_dir=tmp_path / "b", **FAST).record
    assert first["losses"] == again["losses"] == other["losses"]
    seeded = semalign.transfer(teacher, student, rows, seed=1, **FAST).record
    assert seeded["losses"] != first["losses"]


def with_lora(model, alpha):
    adapted = shared_copy(model.model)
    adapted.add_adapter(LoraConfig(r=2, lora_alpha=alpha, target_modules=["up_proj"]))
    randomise(adapted)
    return LanguageModel(adapted, model.tokenizer)


@pytest.mark.parametrize("which", ["teacher", "teacher's adapter", "student", "tokenizer"])
def test_equal_weights_under_other_settings_share_nothing(teacher, student, rows, unseen, tmp_path, monkeypatch, which):
    """Neither the states in the cache nor the checkpoint in the folder: the numbers are those of a fresh run."""
    settings = {**FAST, "learning_rate": 0.01, "validation": unseen[:3], "output_dir": tmp_path / "run"}
    plain = teacher
    if which == "teacher's adapter":
        teacher = with_lora(plain, alpha=4)
    first = semalign.transfer(teacher, student, rows, **settings).record
    turned = {"rope_parameters": {"rope_type": "default", "rope_theta": 20.0}}
    vocabulary = len(teacher.tokenizer)
    if which == "teacher":
        teacher = LanguageModel(make_llama(vocabulary, 16, 5, seed=1, **turned), teacher.tokenizer)
    elif which == "teacher's adapter":
        teacher = with_lora(plain, alpha=40)
    elif which == "student":
        student = LanguageModel(make_llama(vocabulary, 12, 4, seed=2, **turned), student.tokenizer)
    else:
        other = make_tokenizer(words=PAIRS[::-1])
        teacher, student = (LanguageModel(model.model, other) for model in (teacher, student))
    second = semalign.transfer(teacher, student, rows, **settings).record
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "fresh"))
    true = semalign.transfer(teacher, student, rows, **{**settings, "output_dir": tmp_path / "fresh-run"}).record
    assert second["value"] == true["value"] != first["value"]
    assert second["losses"] == true["losses"] != first["losses"]
    assert second["details"]["before"] == true["details"]["before"]


def test_a_damaged_checkpoint_is_trained_again(teacher, student, rows, tmp_path, caplog):
    settings = {**FAST, "learning_rate": 0.01, "output_dir": tmp_path}
    first = semalign.transfer(teacher, student, rows, **settings).record
    path = tmp_path / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 8
    path.write_bytes(content)
    again = semalign.transfer(teacher, student, rows, **settings).record
    assert again["losses"] == first["losses"] and f"{path} is damaged" in caplog.text


def warned(caplog):
    return [r.getMessage() for r in caplog.records if r.name.startswith("semalign") and r.levelname == "WARNING"]


def named_base(folder):
    return json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]


def loaded_plainly(base, adapter):
    """Return the model of an adapter in the words of its card."""
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()


@pytest.mark.slow
@pytest.mark.parametrize("carried", [False, True])
def test_the_base_that_an_adapter_names_is_the_one_it_was_trained_on(teacher, student, rows, tmp_path, caplog, carried):
    name, run = save(student, tmp_path / "base"), tmp_path / "run"
    model = with_peft(load_model(name)) if carried else load_model(name)
    result = semalign.transfer(teacher, model, rows, output_dir=run, learning_rate=0.01, **FAST)
    assert named_base(run) == name and not warned(caplog)
    ours, theirs = (logits(each, student.tokenizer) for each in (result.model.model, loaded_plainly(name, run)))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    base = load_model(name)
    assert result.record["details"]["base"] == {"identity": model_identity(base), "types": ["float32"]}
    put_adapter(base, run)
    assert not warned(caplog)


def with_peft(model):
    adapted = get_peft_model(model.model, LoraConfig(r=2, target_modules=["up_proj"], task_type="CAUSAL_LM"))
    randomise(adapted)
    return LanguageModel(adapted.float().eval(), model.tokenizer)


@pytest.mark.slow
@pytest.mark.parametrize("carried", [False, True])
def test_a_student_that_was_changed_in_memory_is_not_named_as_the_base(
    teacher, student, rows, tmp_path, caplog, carried
):
    name, run = save(student, tmp_path / "base"), tmp_path / "run"
    model = with_peft(load_model(name))
    model = LanguageModel(model.model.merge_and_unload(), model.tokenizer)
    model = with_peft(model) if carried else model
    result = semalign.transfer(teacher, model, rows, output_dir=run, learning_rate=0.01, **FAST)
    (warning,) = warned(caplog)
    assert "was changed in memory" in warning and "save the student too" in warning and "\n" not in warning
    assert named_base(run) is None and "**Base model to keep**" in (card := (run / "README.md").read_text())
    assert name not in card and result.record["student"] == model.name == result.model.name == "base"
    plain = model.model.unload() if carried else model.model
    again = save(LanguageModel(plain, model.tokenizer), tmp_path / "kept")
    theirs = loaded_plainly(again, run)
    torch.testing.assert_close(
        logits(result.model.model, student.tokenizer), logits(theirs, student.tokenizer), rtol=1e-4, atol=1e-5
    )
    caplog.clear()
    put_adapter(load_model(again), run)
    assert not warned(caplog)
    put_adapter(load_model(name), run)
    (warning,) = warned(caplog)
    assert f"{name} is not the model that the adapter in {run} was trained on" in warning


@pytest.mark.slow
def test_a_model_that_is_saved_whole_names_no_base_either(teacher, student, rows, tmp_path, caplog):
    model = load_model(save(student, tmp_path / "base"))
    with torch.no_grad():
        model.model.lm_head.weight += 0.1
    settings = {"extract_size": 2, "align_size": 6}
    result = run_method("laten", teacher, model, rows, output_dir=tmp_path / "run", **settings)
    assert len(warned(caplog)) == 1 and "base" not in result.record["details"]
    assert str(tmp_path / "base") not in (tmp_path / "run" / "README.md").read_text()


def broken_head(model):
    with torch.no_grad():
        model.model.lm_head.weight[0, 0] = float("nan")


def test_bad_input_is_refused_before_any_training(teacher, student, rows, monkeypatch):
    for long_work in (
        "targets.choice.attribute_units",
        "targets.passes.StatePasses.layer_states",
        "training.steering.Steering.run",
    ):
        monkeypatch.setattr(f"semalign.{long_work}", lambda *_, **__: pytest.fail("long work has begun"))

    def refused(message, data=rows, error=ValueError, **settings):
        with pytest.raises(error, match=message):
            semalign.transfer(teacher, student, data, **settings)

    refused("data set is empty", data=[])
    refused("more than the context of 64", data=[{"prompt": "x", "response": "y" * 64}])
    refused(r"teacher layer 6 does not exist: layers are 1\.\.5", teacher_layer=6)
    refused(r"student layer 5 does not exist: layers are 1\.\.4", student_layer=5)
    refused("greater than or equal to 1", student_layer=0)
    refused("learning_rte", learning_rte=1)
    refused("no data file", data="missing.jsonl", error=FileNotFoundError)
    broken_head(student)
    refused("NaN or infinity")
    with pytest.raises(FileNotFoundError, match="no model 'missing-model'"):
        semalign.transfer("missing-model", student, rows)


def test_a_training_that_may_go_on_from_a_stop_is_not_watched(teacher, student, rows, tmp_path):
    with pytest.raises(ValueError, match="watch needs a whole training"):
        run_method("sft", teacher, student, rows, output_dir=tmp_path, watch=Watch((0,), lambda *_: {}))


def test_conversations_are_rendered_by_the_students_template(teacher, student):
    own = copy.deepcopy(student.tokenizer)
    own.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    said, other = (
        [{"role": "user", "content": f"1+{n}"}, {"role": "assistant", "content": f"{n + 1}"}] for n in (1, 2)
    )
    student, settings = LanguageModel(student.model, own), {"epochs": 1, "rank": 2}
    texts = [{"prompt": "user: 1+1\nassistant:", "response": " 2"}]
    chats = semalign.run_method(
        "sft", teacher, student, [{"messages": said}], validation=[{"messages": other}], **settings
    )
    assert chats.record["losses"] == semalign.run_method("sft", teacher, student, texts, **settings).record["losses"]
