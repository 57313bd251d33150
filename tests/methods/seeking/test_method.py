"""Seeking: block and layer choice against brute force, both injections against their formulas, files that load."""

import gc
import itertools
import json

import pytest
import torch
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture, make_llama
from peft import PeftModel
from pydantic import ValidationError

from semalign.data.rows import batches, encode
from semalign.methods.runner import run_method
from semalign.methods.seeking.blocks import RowColumnScores, WindowScores, window_sums
from semalign.methods.seeking.injection import as_plain_lora, exact_factors, inject, truncated_svd
from semalign.methods.seeking.method import SeekingSettings
from semalign.methods.seeking.sensitivity import check_fit, extract, matrix
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.settings import TransferSettings
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora

FAST = {"epochs": 2, "batch_size": 4, "rank": 2, "seed_examples": 3}
LLAMA = Architecture(make_llama(8, 4, 1, seed=0)).layout.matrices


@torch.no_grad()
def logits(model, text_ids=(5, 9, 7, 30, 12)):
    return model(torch.tensor([text_ids])).logits


def best_window(sensitivity, shape):
    """Every window, summed one by one."""
    corners = itertools.product(range(len(sensitivity) - shape[0] + 1), range(sensitivity.shape[1] - shape[1] + 1))
    return max(corners, key=lambda c: sensitivity[c[0] : c[0] + shape[0], c[1] : c[1] + shape[1]].sum())


def best_rows_and_columns(sensitivity, shape):
    return tuple(
        torch.tensor(sorted(sorted(range(len(sums)), key=lambda i: -sums[i])[:k]))
        for sums, k in zip((sensitivity.sum(1), sensitivity.sum(0)), shape, strict=True)
    )


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 1), (1, 7), (5, 7), (4, 6)])
def test_block_choice_is_that_of_brute_force(shape):
    parts = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    windows, crossings = WindowScores(shape), RowColumnScores(shape)
    for part in parts:
        windows.add(part)
        crossings.add(part)
    whole = parts.sum(0)
    top, left = best_window(whole, shape)
    assert torch.equal(windows.best().of(whole), whole[top : top + shape[0], left : left + shape[1]])
    rows, columns = best_rows_and_columns(whole, shape)
    assert torch.equal(crossings.best().of(whole), whole[rows][:, columns])


def test_window_sums_of_a_small_matrix():
    matrix = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert window_sums(matrix, (2, 2)).tolist() == [[12, 16], [24, 28]]
    assert window_sums(matrix, (3, 3)).tolist() == [[45]]
    assert torch.equal(window_sums(matrix, (1, 1)), matrix.double())


def elementwise(teacher, examples):
    """Sensitivities of all parameters, literally: whole backward passes, everything kept."""
    sums = {}
    for batch in batches(examples, 1):
        teacher.model.zero_grad()
        labels = batch.pop("labels")[0, 1:]
        nll = -teacher.model(**batch).logits[0, :-1].log_softmax(-1)
        nll[labels >= 0, labels[labels >= 0]].mean().backward()
        for name, parameter in teacher.model.named_parameters():
            sums[name] = sums.get(name, 0) + (parameter * parameter.grad).abs().detach()
    teacher.model.zero_grad()
    return sums


def test_extraction_is_that_of_elementwise_sensitivities(teacher, student, rows):
    examples = encode(rows[:4], teacher.tokenizer, 64)
    sums = elementwise(teacher, examples)
    scores = [sum(s.sum().item() for n, s in sums.items() if n.startswith(f"model.layers.{i}.")) for i in range(5)]
    large, small = Architecture(teacher.model), Architecture(student.model)
    shapes = check_fit(large, small)
    windows, crossings = (extract(large, small, examples, choice) for choice in ("window", "rows_columns"))
    assert windows.layer_scores == pytest.approx(scores, rel=1e-10)
    assert windows.layers == crossings.layers == sorted(sorted(range(1, 6), key=lambda k: -scores[k - 1])[:4])
    for k, window, crossing in zip(windows.layers, windows.blocks, crossings.blocks, strict=True):
        assert window.keys() == crossing.keys() == set(LLAMA)
        for path in LLAMA:
            sensitivity, (n, m) = sums[f"model.layers.{k - 1}.{path}.weight"], shapes[path]
            top, left = best_window(sensitivity, (n, m))
            assert window[path].rows.tolist() == list(range(top, top + n))
            assert window[path].columns.tolist() == list(range(left, left + m))
            assert all(map(torch.equal, crossing[path], best_rows_and_columns(sensitivity, (n, m))))


def test_extraction_leaves_the_teacher_as_it_was(teacher, student, rows):
    before = {name: p.clone() for name, p in teacher.model.state_dict().items()}
    teacher.model.requires_grad_(False)
    extract(Architecture(teacher.model), Architecture(student.model), encode(rows[:2], teacher.tokenizer, 64))
    assert all(torch.equal(p, before[name]) for name, p in teacher.model.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in teacher.model.parameters())
    assert not any(p._post_accumulate_grad_hooks for p in teacher.model.parameters())


@pytest.mark.slow
def test_no_gradient_outlives_its_turn(teacher, student, rows, monkeypatch):
    def gradients():
        return sum(type(o) is torch.nn.Parameter and o.grad is not None for o in gc.get_objects())

    kept, add = [], WindowScores.add
    gc.collect()
    before = gradients()  # of models of tests that ran before

    def counting(scores, sensitivity):
        kept.append(gradients())
        add(scores, sensitivity)

    monkeypatch.setattr(WindowScores, "add", counting)
    extract(Architecture(teacher.model), Architecture(student.model), encode(rows[:1], teacher.tokenizer, 64))
    assert kept == [before] * 5 * 7


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
def test_svd_start_is_the_block_at_full_rank_and_its_best_approximation_below(shape):
    block = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for rank in (min(shape), min(shape) + 3):
        left, right = truncated_svd(block, rank)
        assert (left.shape, right.shape) == ((shape[0], rank), (rank, shape[1]))
        torch.testing.assert_close(left @ right, block, rtol=1e-12, atol=1e-12)
    left, right = truncated_svd(block, 2)
    torch.testing.assert_close(right @ right.T, torch.eye(2, dtype=torch.float64))
    error = torch.linalg.norm(block - left @ right)
    torch.testing.assert_close(error, torch.linalg.svdvals(block)[2:].square().sum().sqrt())
    left, right = exact_factors(block)
    assert torch.equal(left @ right, block)
    assert left.shape[1] == min(shape)


def injected(teacher, student, examples, injection, **settings):
    """A student with blocks of the teacher's injected, and these blocks."""
    large, small = Architecture(teacher), Architecture(student)
    extraction = extract(large, small, examples)
    names = small.lora_targets(range(1, small.n_layers + 1), all_matrices=True)
    pairs = [
        (k, path, block) for k, b in zip(extraction.layers, extraction.blocks, strict=True) for path, block in b.items()
    ]
    blocks = {
        name: block.of(matrix(large.layer(k).get_submodule(path)))
        for name, (k, path, block) in zip(names, pairs, strict=True)
    }
    adapted = add_lora(student, range(1, small.n_layers + 1), TransferSettings(**settings), all_matrices=True).eval()
    return adapted, inject(adapted, blocks.items(), injection), blocks


@pytest.mark.parametrize("alpha", [2, 6])
def test_the_code_form_starts_at_the_unmodified_student(teacher, student, rows, alpha):
    plain, examples = logits(student.model), encode(rows[:2], teacher.tokenizer, 64)
    before = {name: p.clone() for name, p in student.model.state_dict().items()}
    adapted, removed, blocks = injected(teacher.model, student.model, examples, "code", rank=2, lora_alpha=alpha)
    torch.testing.assert_close(logits(adapted), plain, rtol=1e-10, atol=1e-10)
    with adapted.disable_adapter():
        assert not torch.allclose(logits(adapted), plain, atol=1e-3)
    for name, block in blocks.items():
        start = truncated_svd(block, 2)
        torch.testing.assert_close(alpha / 2 * removed[name].left @ removed[name].right, start.left @ start.right)
    assert all(torch.equal(p, before[name]) for name, p in student.model.state_dict().items())


@pytest.mark.parametrize("alpha", [2, 6])
def test_the_appendix_form_starts_elsewhere_at_its_formula(teacher, student, rows, alpha):
    plain, examples = logits(student.model), encode(rows[:2], teacher.tokenizer, 64)
    adapted, removed, blocks = injected(teacher.model, student.model, examples, "appendix", rank=2, lora_alpha=alpha)
    started = logits(adapted)
    assert not torch.allclose(started, plain, atol=1e-3)
    torch.testing.assert_close(logits(as_plain_lora(student.model, adapted, removed)), started, rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        for name, block in blocks.items():
            b, a = truncated_svd(block, 2)
            student.model.get_submodule(name).weight += b @ a - block
    torch.testing.assert_close(logits(student.model), started, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", TYPES)
def test_every_architecture_can_give_and_take(model_type, rows, tokenizer):
    """With the student for a teacher and full rank, both forms start at the student, and neither has moved it."""
    config = SPECIAL.get(model_type, SMALL)
    model = make_architecture(model_type, **{"vocab_size": len(tokenizer), **config})
    plain, examples = logits(model), encode(rows[:1], tokenizer, 64)
    for injection in ("code", "appendix"):
        adapted, removed, blocks = injected(model, model, examples, injection, rank=48)
        torch.testing.assert_close(logits(adapted), plain, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(logits(as_plain_lora(model, adapted, removed)), plain, rtol=1e-8, atol=1e-8)
        assert len(blocks) == 3 * len(Architecture(model).layout.matrices)


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
def test_training_brings_the_response_nll_down_and_the_record_says_so(teacher, student, rows, tmp_path):
    settings = {**FAST, "epochs": 8, "learning_rate": 3e-3}
    result = run_method(
        "seeking", teacher, student, rows, output_dir=tmp_path, validation=rows[:4], task="sums", **settings
    )
    record, details = json.loads((tmp_path / "record.json").read_text()), result.record["details"]
    assert record == result.record
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


@pytest.mark.slow
def test_half_precision(teacher, student, rows, tmp_path):
    for model in (teacher.model, student.model):
        model.bfloat16()
    plain = logits(student.model)
    result = run_method("seeking", teacher, student, rows, output_dir=tmp_path, validation=rows[:2], **FAST)
    details = result.record["details"]
    assert details["injected"]["response_nll"] == pytest.approx(details["before"]["response_nll"], rel=0.02)
    loaded = PeftModel.from_pretrained(student.model, tmp_path).eval()
    assert torch.equal(logits(loaded), logits(result.model.model))
    assert plain.dtype == torch.bfloat16


def test_settings_are_typed():
    assert SeekingSettings().model_dump().items() >= {
        "seed_examples": 32, "rank": 16, "lora_alpha": 16, "lora_dropout": 0.05, "epochs": 3, "batch_size": 64,
        "learning_rate": 3e-4, "warmup_ratio": 0.03, "block": "window", "injection": "code",
    }.items()  # fmt: skip
    with pytest.raises(ValidationError):
        SeekingSettings(seed_examples=0)
