import math
from types import SimpleNamespace

import pytest
import torch
from helpers.data import HUMANEVAL
from helpers.scripted import GSM8K, script
from transformers import AutoTokenizer

from semalign.data import tasks as benchmarks
from semalign.data.task_file import task_names
from semalign.evaluation import run as evaluation
from semalign.evaluation.record import score_record
from semalign.evaluation.run import evaluate
from semalign.models import processes
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
    assert (result.scores["exact_match,strict"], result.scores["exact_match,flexible"]) == pytest.approx((50, 50))
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
    others = {"exact_match,flexible": 100, "exact_match,lm_eval": 100, "exact_match,open_instruct": 100}
    assert result.scores == {"exact_match,strict": 50, **others}


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
    assert (result.task, result.split, result.source.version) == ("micro_gsm8k", "test", 1.0)


def test_lm_eval_keeps_quiet(model, data, capfd, caplog):
    data("gsm8k", [GSM8K])
    evaluate(model, "micro_gsm8k")
    out, err = capfd.readouterr()
    assert not out
    assert all("generate_until" in line for line in err.replace("\r", "\n").splitlines() if line.strip())
    assert not caplog.records


@pytest.mark.parametrize("task", [name for name in task_names() if name.startswith("micro")])
def test_the_micro_familys_tokenizer_splits_at_the_boundary(task):
    folder = models_dir() / "micro-student"
    if not folder.is_dir():
        pytest.skip("the micro family is not there: `semalign pretrain` makes it")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for row in benchmarks.rows(task, "train", 200):
        prompt, response = (tokenizer(row[part]).input_ids for part in ("prompt", "response"))
        assert tokenizer(row["prompt"] + row["response"]).input_ids == prompt + response
        assert tokenizer.decode(prompt) == row["prompt"] and tokenizer.decode(response) == row["response"]


def test_several_processes_would_each_answer_all_items(model, monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 2)
    with pytest.raises(ValueError, match="evaluate runs in one process"):
        evaluate(model, "micro_mmlu")
