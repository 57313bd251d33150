"""A model in memory under lm-eval: what it says is plain decoding, and evaluating leaves no trace on it."""

import copy
import random

import numpy as np
import pytest
import torch
from helpers.data import MMLU
from helpers.models import make_llama
from helpers.scripted import GSM8K
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

from semalign.data.rows import encode
from semalign.evaluation.run import evaluate
from semalign.evaluation.transformers_engine import InMemoryModel, transformers_engine
from semalign.models.loading import LanguageModel

PROMPTS = ["a", "Some words, then more.", "x = 1\n", "1 2 3 4 5 6 7 8 9"]


def requests(prompts, until, tokens=24):
    settings = {"until": until, "do_sample": False, "max_gen_toks": tokens}
    return [Instance("generate_until", {}, (prompt, dict(settings)), 0) for prompt in prompts]


def greedy(model, prompt, tokens):
    """One row, no cache, no batch."""
    ids = model.tokenizer(prompt, return_tensors="pt").input_ids
    start = ids.shape[1]
    for _ in range(tokens):
        best = model.model(ids, use_cache=False).logits[0, -1].argmax()
        ids = torch.cat([ids, best.view(1, 1)], dim=1)
        if best == model.tokenizer.eos_token_id:
            break
    return model.tokenizer.decode(ids[0, start:], skip_special_tokens=True)


@torch.no_grad()
def test_batched_generation_is_plain_greedy_decoding(model):
    engine = InMemoryModel(model, batch_size=3)
    free = engine.generate_until(requests(PROMPTS, ["<end>"]), disable_tqdm=True)
    assert free == [greedy(model, prompt, 24) for prompt in PROMPTS]
    assert len(set(free)) > 1 and max(map(len, free)) > 10


@torch.no_grad()
def test_generation_equals_that_of_lm_eval(model):
    free = InMemoryModel(model, 4).generate_until(requests(PROMPTS, ["<end>"]), disable_tqdm=True)
    until = ["@@", free[0][3:5], free[1][5], free[3][2:4]]  # some rows stop early, at different places
    theirs = HFLM(pretrained=model.model, tokenizer=copy.deepcopy(model.tokenizer), batch_size=4)
    expected = theirs.generate_until(requests(PROMPTS, until), disable_tqdm=True)
    assert InMemoryModel(model, 4).generate_until(requests(PROMPTS, until), disable_tqdm=True) == expected
    assert expected != free


@torch.no_grad()
def test_rows_stop_at_their_stop_string(model, monkeypatch):
    engine = InMemoryModel(model, batch_size=4)
    free = engine.generate_until(requests(PROMPTS, ["<end>"]), disable_tqdm=True)
    until = [text[4] for text in free]
    steps = []
    forward = model.model.forward
    monkeypatch.setattr(model.model, "forward", lambda *args, **kwargs: steps.append(1) or forward(*args, **kwargs))
    engine.generate_until(requests(PROMPTS, until), disable_tqdm=True)
    assert len(steps) <= 5


def test_the_context_is_what_training_uses(model):
    engine = InMemoryModel(model, batch_size=2)
    rows = [{"prompt": prompt, "response": " 42\n"} for prompt in PROMPTS]
    for row, example in zip(rows, encode(rows, model.tokenizer, 512), strict=True):
        prompt_ids = list(example.input_ids[: example.prompt_length])
        ids, mask = engine.tok_batch_encode([row["prompt"], "a much longer prompt than any of these others"])
        assert ids[0, mask[0].bool()].tolist() == prompt_ids
        context, continuation = engine._encode_pair(row["prompt"], row["response"])
        assert context + continuation == list(example.input_ids[:-1])


@pytest.fixture
def adapted(model):
    """The model with a LoRA that changes what it says; the wrapped model itself stays as it is."""
    config = LoraConfig(r=4, target_modules=["up_proj", "down_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM")
    peft = get_peft_model(copy.deepcopy(model.model), config)
    torch.manual_seed(1)
    for name, parameter in peft.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return LanguageModel(peft, model.tokenizer)


@pytest.mark.parametrize("task", ["mmlu", "gsm8k"])
def test_adapters_count_and_equal_their_merged_form(model, adapted, data, task):
    row = {"mmlu": MMLU, "gsm8k": GSM8K}[task]
    data(task, [{**row, "question": f"{i}?"} for i in range(6)])
    says = "generation" if task == "gsm8k" else "choice"

    def answers(evaluated):
        return [sample[says] for sample in evaluate(evaluated, f"micro_{task}").samples]

    with_adapter = answers(adapted)
    merged = LanguageModel(copy.deepcopy(adapted.model).merge_and_unload(), model.tokenizer)
    assert answers(merged) == with_adapter
    if task == "gsm8k":
        assert answers(model) != with_adapter


def test_prompt_adapters_are_refused(model, data):
    data("gsm8k", [GSM8K])
    peft = get_peft_model(model.model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    with pytest.raises(ValueError, match="prompt tokens"):
        evaluate(LanguageModel(peft, model.tokenizer), "micro_gsm8k")


def test_nothing_is_left_changed(adapted, data):
    data("gsm8k", [GSM8K] * 2)
    model, tokenizer = adapted
    model.train()
    model.base_model.model.model.layers[0].eval()
    inner = model.get_base_model()
    inner.generation_config.repetition_penalty = 3.0
    before = {name: module.training for name, module in model.named_modules()}
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    settings, special, side = inner.generation_config, dict(tokenizer.special_tokens_map), tokenizer.padding_side
    threads = torch.get_num_threads()
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    evaluate(adapted, "micro_gsm8k")
    assert {name: module.training for name, module in model.named_modules()} == before
    assert {name: parameter.requires_grad for name, parameter in model.named_parameters()} == gradients
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert inner.generation_config is settings
    assert (dict(tokenizer.special_tokens_map), tokenizer.padding_side) == (special, side)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1] and np.array_equal(np.random.get_state()[1], states[2])
    assert not any(module._forward_hooks for module in model.modules())
    model(**tokenizer("a", return_tensors="pt")).logits.sum().backward()  # still trains


def test_the_models_own_generation_settings_do_not_decide(model, data):
    data("gsm8k", [GSM8K])
    plain = evaluate(model, "micro_gsm8k").samples[0]["generation"]
    model.model.generation_config.update(do_sample=True, temperature=5.0, repetition_penalty=4.0)
    assert evaluate(model, "micro_gsm8k").samples[0]["generation"] == plain
    first = model.tokenizer(plain).input_ids[3]
    model.model.generation_config.eos_token_id = [first]  # but its end tokens do
    assert len(evaluate(model, "micro_gsm8k").samples[0]["generation"]) <= 4


def test_a_tokenizer_without_padding_token_works(model, data):
    data("gsm8k", [{**GSM8K, "question": "?" * i} for i in range(1, 5)])
    bare = copy.deepcopy(model.tokenizer)
    bare.pad_token = None
    theirs = evaluate(model, "micro_gsm8k").samples
    assert evaluate(LanguageModel(model.model, bare), "micro_gsm8k").samples == theirs
    assert bare.pad_token is None


@torch.no_grad()
def test_batch_size_does_not_matter(model):
    texts = [InMemoryModel(model, n).generate_until(requests(PROMPTS, ["<end>"]), disable_tqdm=True) for n in (1, 3)]
    assert texts[0] == texts[1]


def test_an_answer_keeps_the_space_that_a_llama_tokenizer_drops_where_a_text_begins():
    words = ["<eos>", "▁", "x", "▁▁▁▁", "<0x0A>", "\n"]
    llama = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="x"))
    llama.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    strip = decoders.Strip(content=" ", left=1)
    llama.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=llama, eos_token="<eos>", pad_token="<eos>")
    model = LanguageModel(make_llama(len(words), 12, 1, 0), tokenizer)
    assert tokenizer.decode([3, 2]) == "   x"  # one space is gone: the line would not parse behind "def f():"
    with transformers_engine(model, 1) as engine:
        assert engine.tok_decode([3, 2]) == "    x"
        assert engine.tok_decode([2, 4, 3, 2]) == "x\n    x"


@torch.no_grad()
def test_likelihoods_of_half_precision_are_not_rounded(model):
    """With 8 bits, choices of about the same likelihood would tie, and the first of them would win."""
    half = LanguageModel(copy.deepcopy(model.model).bfloat16(), model.tokenizer)
    choices = [Instance("loglikelihood", {}, ("Question: what?\n", text), 0) for text in ("a b c d", "x", "1 2", "e")]
    found = InMemoryModel(half, 2).loglikelihood(choices, disable_tqdm=True)
    for (value, _), choice in zip(found, choices, strict=True):
        prompt, whole = (half.tokenizer(text).input_ids for text in (choice.args[0], "".join(choice.args)))
        states = half.model.model(torch.tensor([whole])).last_hidden_state.float()
        expected = (states @ half.model.lm_head.weight.float().T).log_softmax(-1)[0, :-1]
        expected = expected.gather(1, torch.tensor(whole[1:])[:, None])[len(prompt) - 1 :].sum()
        assert value == pytest.approx(float(expected), abs=1e-3) and value != float(torch.tensor(value).bfloat16())


@torch.no_grad()
def test_sampled_texts_of_a_prompt_depend_on_no_other(model):
    """So a resumed evaluation, which asks for what is missing, has the texts of one that was not stopped."""
    settings = {"until": ["<end>"], "do_sample": True, "temperature": 1.0, "max_gen_toks": 8}

    def ask(prompts, seed=5):
        torch.manual_seed(seed)
        asked = [Instance("generate_until", {}, (prompt, dict(settings)), 0) for prompt in prompts for _ in range(3)]
        found = InMemoryModel(model, batch_size=3).generate_until(asked, disable_tqdm=True)
        return {prompt: found[3 * i : 3 * i + 3] for i, prompt in enumerate(prompts)}

    every = ask(PROMPTS)
    assert ask(PROMPTS[2:]) == {prompt: every[prompt] for prompt in PROMPTS[2:]}
    assert ask(PROMPTS[::-1]) == every and torch.initial_seed() == 5
    assert all(len(set(texts)) > 1 for texts in every.values()) and ask(PROMPTS, seed=6) != every
