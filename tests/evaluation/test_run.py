import copy
import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.data import HUMANEVAL
from helpers.models import make_llama
from helpers.scripted import GSM8K, script
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from semalign.data import tasks as benchmarks
from semalign.data.rows import encode
from semalign.evaluation import run as evaluation
from semalign.evaluation.items import interval
from semalign.evaluation.record import score_record
from semalign.evaluation.run import evaluate
from semalign.evaluation.transformers_engine import InMemoryModel, transformers_engine
from semalign.models.loading import LanguageModel
from semalign.paths import models_dir
from semalign.results.statistics import wilson_interval
from semalign.sandbox import SandboxError

MMLU = {"question": "Which?", "subject": "maps", "choices": ["a", "b", "c", "d"], "answer": 2}
MBPP = {
    "task_id": 1,
    "text": "Write a function to add.",
    "code": "def add(a, b):\n    return a + b\n",
    "test_list": ["assert add(1, 2) == 3"],
    "test_setup_code": "offset = 0",
    "challenge_test_list": [],
}


def test_multiple_choice_takes_the_likeliest_letter(model, data, monkeypatch):
    rows = [{**MMLU, "question": f"Question {i}", "answer": i % 4} for i in range(5)]
    data("mmlu", rows)
    favourite = {"Question 0": "A", "Question 1": "D", "Question 2": "C", "Question 3": "A", "Question 4": "A"}

    def forward(input_ids, **kwargs):
        # As a model would: the last " " decides the letter, the letter itself is not seen.
        logits = torch.zeros(*input_ids.shape, len(model.tokenizer))
        for row, text in zip(logits, model.tokenizer.batch_decode(input_ids), strict=True):
            letter = next(letter for question, letter in favourite.items() if question in text)
            row[:, model.tokenizer.convert_tokens_to_ids(letter)] = 5
        return SimpleNamespace(logits=logits)

    monkeypatch.setattr(model.model, "forward", forward)
    result = evaluate(model, "micro_mmlu", batch_size=2)
    assert [sample["choice"] for sample in result.samples] == [0, 3, 2, 0, 0]
    assert [sample["correct"] for sample in result.samples] == [True, False, True, False, True]
    assert (result.value, result.n, result.metric) == (60, 5, "acc,none")
    low, high = wilson_interval(3, 5)
    assert (result.low, result.high) == pytest.approx((100 * low, 100 * high))


def test_log_likelihoods_are_those_of_a_plain_forward_pass(model, data):
    rows = [{**MMLU, "question": "long " * i} for i in range(4)]
    data("mmlu", rows)
    result = evaluate(model, "micro_mmlu", batch_size=3)
    for sample in result.samples:
        prompt_length = len(model.tokenizer(sample["prompt"]).input_ids)
        for letter, likelihood in zip("ABCD", sample["log_likelihoods"], strict=True):
            ids = torch.tensor([model.tokenizer(f"{sample['prompt']} {letter}").input_ids])
            log_p = model.model(ids).logits.log_softmax(-1)[0, prompt_length - 1 : -1]
            assert likelihood == pytest.approx(log_p.gather(1, ids[0, prompt_length:, None]).sum().item(), abs=1e-4)


def test_gsm8k_strict_and_flexible(model, data):
    answers = {
        " 1+2=3\n#### 3": (True, True),
        " 1+2=3\n#### 3.": (True, True),
        " 1+2=3, so it is 3": (False, True),
        " #### 3\nor 4": (True, False),
        " #### 4": (False, False),
        " none": (False, False),
        " #### 1,234": (False, False),
        " #### 3 Question: what about 7?": (True, True),  # cut at the stop string
        " #### 3$": (True, True),
        " #### -3": (False, False),
    }
    data("gsm8k", [{**GSM8K, "question": f"Number {i}?"} for i in range(len(answers))])
    prompts = [row["prompt"] for row in benchmarks.rows("micro_gsm8k", "test")]
    script(model, dict(zip(prompts, answers, strict=True)))
    result = evaluate(model, "micro_gsm8k", batch_size=4)
    assert [sample["correct"] for sample in result.samples] == [strict for strict, _ in answers.values()]
    assert result.scores == pytest.approx({"exact_match,strict": 50, "exact_match,flexible": 50})
    assert result.value == pytest.approx(50)
    assert result.samples[2]["generation"] == " 1+2=3, so it is 3"
    assert result.samples[7]["generation"] == " #### 3 "
    assert result.samples[0]["prompt"] == prompts[0]
    assert result.samples[0]["extracted"] == "3"


def test_numbers_with_separators_are_equal(model, data):
    data("gsm8k", [{"question": "How many?", "answer": "#### 1,234"}, {"question": "And?", "answer": "#### 1234"}])
    prompts = [row["prompt"] for row in benchmarks.rows("micro_gsm8k", "test")]
    script(model, dict(zip(prompts, [" #### 1234", " So $1,234."], strict=True)))
    result = evaluate(model, "micro_gsm8k")
    assert result.scores == {"exact_match,strict": 50, "exact_match,flexible": 100}


def test_humaneval_runs_the_programs(model, data):
    bodies = {
        "    return 2 * x\n": True,
        "    return x + x\n\ndef other():\n    fail": True,  # cut before the next function
        "    return x\n": False,
        "return 2 * x\n": False,
        "    print('passed')\n    raise SystemExit(0)\n": False,
    }
    data("humaneval", [{**HUMANEVAL, "prompt": f"# {i}\n{HUMANEVAL['prompt']}"} for i in range(len(bodies))])
    prompts = [row["prompt"] for row in benchmarks.rows("micro_humaneval", "test")]
    script(model, dict(zip(prompts, bodies, strict=True)))
    result = evaluate(model, "micro_humaneval")
    assert [sample["correct"] for sample in result.samples] == list(bodies.values())
    assert (result.value, result.metric) == (40, "pass@1,tests")
    assert result.samples[2]["extracted"] == {"passed": False, "reason": "assertion", "detail": "AssertionError"}
    assert result.samples[3]["extracted"]["detail"].startswith("SyntaxError: 'return' outside function")
    assert result.samples[4]["extracted"]["reason"] == "exit"


def test_mbpp_runs_the_programs(model, data):
    programs = {
        "def add(a, b):\n    return a + b\n": True,
        "def add(a, b):\n    return a + b\nassert False": True,  # cut
        "def plus(a, b):\n    return a + b\n": False,
    }
    data("mbpp", [{**MBPP, "text": f"Add {i}."} for i in range(len(programs))])
    prompts = [row["prompt"] for row in benchmarks.rows("micro_mbpp", "test")]
    script(model, dict(zip(prompts, programs, strict=True)))
    result = evaluate(model, "micro_mbpp")
    assert [sample["correct"] for sample in result.samples] == list(programs.values())
    assert result.samples[2]["extracted"]["detail"] == "NameError: name 'add' is not defined"


def test_the_sandbox_of_programs_is_named_and_other_tasks_have_none(model, data, monkeypatch):
    monkeypatch.setenv("SEMALIGN_SANDBOX", "limits")
    data("mbpp", [MBPP])
    data("gsm8k", [GSM8K])
    for task, sandbox in {"micro_mbpp": "limits", "micro_gsm8k": None}.items():
        script(model, {row["prompt"]: "" for row in benchmarks.rows(task, "test")})
        result = evaluate(model, task)
        assert result.sandbox == sandbox
        assert score_record(model, result)["configuration"]["sandbox"] == sandbox


def test_without_a_sandbox_nothing_is_generated(model, data, monkeypatch):
    def refuse():
        raise SandboxError("there is none")

    monkeypatch.setattr(evaluation, "sandbox_mode", refuse)
    monkeypatch.setattr(model.model, "generate", lambda *_, **__: pytest.fail("it generated"))
    data("mbpp", [MBPP])
    with pytest.raises(SandboxError, match="there is none"):
        evaluate(model, "micro_mbpp")


def test_reference_answers_score_everything(model, data):
    for name, row in {"gsm8k": GSM8K, "humaneval": HUMANEVAL, "mbpp": MBPP}.items():
        data(name, [row])
        script(model, {row["prompt"]: row["response"] for row in benchmarks.rows(f"micro_{name}", "test")})
        assert evaluate(model, f"micro_{name}").value == 100


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


def test_a_prompt_that_leaves_no_room_is_an_error(model, data):
    data("gsm8k", [{**GSM8K, "question": "?" * 600}])
    with pytest.raises(ValueError, match="context is 512"):
        evaluate(model, "micro_gsm8k")


def test_a_prompt_that_leaves_little_room_warns(model, data):
    data("gsm8k", [{**GSM8K, "question": "?" * 440}])
    with pytest.warns(UserWarning, match="answers are limited to"):
        result = evaluate(model, "micro_gsm8k")
    prompt_length = len(model.tokenizer(result.samples[0]["prompt"]).input_ids)
    assert len(model.tokenizer(result.samples[0]["generation"]).input_ids) <= 512 - prompt_length


def test_bad_requests_are_refused_early(model, data):
    data("gsm8k", [GSM8K])
    with pytest.raises(ValueError, match="did you mean 'micro_gsm8k'"):
        evaluate(model, "micro-gsm8k")
    with pytest.raises(ValueError, match="at least 1"):
        evaluate(model, "micro_gsm8k", limit=0)
    with pytest.raises(FileNotFoundError, match="validation"):
        evaluate(model, "micro_gsm8k", split="validation")


def test_limit_and_timing(model, data):
    data("gsm8k", [GSM8K] * 5)
    result = evaluate(model, "micro_gsm8k", limit=2)
    assert result.n == 2 and result.seconds > 0 and not math.isnan(result.value)
    assert (result.task, result.split, result.version) == ("micro_gsm8k", "test", 1.0)


def test_lm_eval_keeps_quiet(model, data, capfd, caplog):
    data("gsm8k", [GSM8K])
    evaluate(model, "micro_gsm8k")
    out, err = capfd.readouterr()
    assert not out
    assert all("generate_until" in line for line in err.replace("\r", "\n").splitlines() if line.strip())
    assert not caplog.records


@pytest.mark.parametrize("task", [name for name in benchmarks.task_names() if name.startswith("micro")])
def test_the_micro_familys_tokenizer_splits_at_the_boundary(task):
    folder = models_dir() / "micro-student"
    if not folder.is_dir():
        pytest.skip("the micro family is not there: `semalign pretrain` makes it")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for row in benchmarks.rows(task, "train", 200):
        prompt, response = (tokenizer(row[part]).input_ids for part in ("prompt", "response"))
        assert tokenizer(row["prompt"] + row["response"]).input_ids == prompt + response
        assert tokenizer.decode(prompt) == row["prompt"] and tokenizer.decode(response) == row["response"]


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


def test_scores_that_are_all_alike_have_an_interval_too():
    assert interval([0.0] * 164) == pytest.approx(wilson_interval(0, 164))
    assert interval([1.0] * 9) == pytest.approx(wilson_interval(9, 9))
    assert interval([0.5, 0.0] * 30)[0] > 0
