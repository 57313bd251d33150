"""The task files of the four published benchmarks: prompts by the protocol, and scores of answers that are scripted."""

import json
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from helpers.data import MMLU, write
from helpers.scripted import GSM8K, character_model, character_tokenizer, script

from semalign.data import tasks as benchmarks
from semalign.evaluation.code import parsable
from semalign.evaluation.run import evaluate
from semalign.results.statistics import bootstrap_interval

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    "entry_point": "double",
}
MBPP = {
    "task_id": 11,
    "text": "Write a function to add.",
    "code": "import math\r\ndef add(a, b):\r\n    return a + b if a else {0: b}[0]\r",
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0", "assert add(0, 1) == 1"],
    "test_setup_code": "",
    "challenge_test_list": [],
}


@pytest.fixture
def model():
    return character_model(character_tokenizer())


def test_prompts_are_those_of_the_protocol(root):
    write(root, "openai/openai_humaneval/test", [HUMANEVAL])
    write(root, "google-research-datasets/mbpp/full/test", [MBPP])
    write(root, "openai/gsm8k/main/test", [GSM8K])
    begin, end = (
        "<|user|>\nComplete the following python function.\n\n\n",
        "\n<|assistant|>\nHere is the completed function:",
    )
    assert benchmarks.rows("humaneval", "test") == [
        {
            "prompt": f"{begin}{HUMANEVAL['prompt']}{end}\n\n\n```python\n{HUMANEVAL['prompt'].rstrip()}",
            "response": "\n    return 2 * x\n",
        }
    ]
    assert benchmarks.rows("humaneval_greedy", "test") == benchmarks.rows("humaneval", "test")
    assert benchmarks.rows("mbpp", "test") == [
        {
            "prompt": f"{begin}Write a function to add.import math\ndef add(a, b){end}\n\n\n```python\n",
            "response": "import math\ndef add(a, b):\n    return a + b if a else {0: b}[0]\n```",
        }
    ]
    assert benchmarks.rows("gsm8k", "test", chat="llama2") == [
        {
            "prompt": "[INST] Answer the following question.\n\nQuestion: How many are 3? [/INST] Answer:",
            "response": " 1+2=3\n#### 3",
        }
    ]


def test_latens_rows_are_those_of_its_files(root):
    """Worked out by hand from rows of its repository; all its 1,000 of GSM8K and 300 of MBPP come out so."""
    answer = "Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute.\nShe earned 0.2 x 50 = $<<0.2*50=10>>10\n#### 10"
    write(root, "openai/gsm8k/main/train", [{"question": "How much? ", "answer": answer}])
    write(root, "google-research-datasets/mbpp/full/train", [MBPP])
    assert benchmarks.rows("gsm8k_laten", "train") == [
        {
            "prompt": "<|user|>\nAnswer the following question.\n\nQuestion: How much?\n\n<|assistant|>\nAnswer:",
            "response": " Weng earns 12/60 = $0.2 per minute. She earned 0.2 x 50 = $10. So the answer is 10.",
        }
    ]
    assert benchmarks.rows("mbpp_laten", "train") == [
        {
            "prompt": "<|user|>\nComplete the following python function.\n\n\nWrite a function to add.\n"
            "import math\r\ndef add(a, b)\n\n<|assistant|>\nHere is the completed function:\n\n\n```python\n",
            "response": "import math\r\ndef add(a, b):\r\n    return a + b if a else {0: b}[0]",
        }
    ]


def test_micro_labels_have_another_form_and_the_same_prompts():
    (usual,), (sentence,) = (benchmarks.rows(task, "train", 1) for task in ("micro_gsm8k", "micro_gsm8k_laten"))
    assert sentence["prompt"] == usual["prompt"]
    assert usual["response"] == " 5*3=15\n15-7=8\n8*4=32 dollars\n#### 32"
    assert sentence["response"] == " 5*3=15 15-7=8 8*4=32 dollars. So the answer is 32."
    (letter,), (words,) = (benchmarks.rows(task, "train", 1) for task in ("micro_mmlu", "micro_mmlu_words"))
    assert words["prompt"] == letter["prompt"] and "\nD. fish\n" in words["prompt"]
    assert (letter["response"], words["response"]) == (" D", " fish")


def test_micro_labels_of_another_form_score_everything(model):
    rows = benchmarks.rows("micro_gsm8k_laten", "test", 3)
    script(model, {row["prompt"]: row["response"] for row in rows})
    model.model.config.max_position_embeddings = 1024
    assert evaluate(model, "micro_gsm8k_laten", limit=3).scores == {
        "exact_match,strict": 100,
        "exact_match,flexible": 100,
    }
    script(model, {row["prompt"]: row["response"].replace("So the answer is", "####") for row in rows})
    assert evaluate(model, "micro_gsm8k_laten", limit=3).scores == {
        "exact_match,strict": 0,
        "exact_match,flexible": 100,
    }


def test_open_instructs_other_forms(root):
    write(root, "cais/mmlu/all/test", [MMLU])
    write(root, "openai/openai_humaneval/test", [HUMANEVAL])
    assert "questions (with answers) about  maps.\n" in benchmarks.rows("mmlu_open_instruct", "test")[0]["prompt"]
    assert benchmarks.rows("humaneval_open_instruct", "test")[0] == {
        "prompt": f"<|user|>\nComplete the following python function.\n\n\n{HUMANEVAL['prompt']}\n<|assistant|>\n"
        "Here is the completed function:\n\n\n```python\n",
        "response": HUMANEVAL["prompt"] + HUMANEVAL["canonical_solution"],
    }


def test_reference_answers_score_everything(root, model):
    write(root, "openai/openai_humaneval/test", [HUMANEVAL])
    write(root, "google-research-datasets/mbpp/full/test", [MBPP])
    write(root, "openai/gsm8k/main/test", [GSM8K])
    for task in ("humaneval_greedy", "mbpp", "gsm8k", "gsm8k_laten", "mbpp_laten"):
        script(model, {row["prompt"]: row["response"] for row in benchmarks.rows(task, "test")})
        result = evaluate(model, task)
        assert set(result.scores.values()) == {100}
        assert (result.chat, result.decoding["do_sample"], result.decoding["samples"]) == ("tulu", False, 1)


def test_humaneval_draws_twenty_samples(root, model):
    rows = [{**HUMANEVAL, "prompt": f"# {i}\n{HUMANEVAL['prompt']}"} for i in range(3)]
    write(root, "openai/openai_humaneval/test", rows)
    prompts = [row["prompt"] for row in benchmarks.rows("humaneval", "test")]
    passes = dict(zip(prompts, (20, 3, 0), strict=True))
    drawn = defaultdict(int)

    def generate(input_ids, **settings):
        assert (settings["do_sample"], settings["temperature"], settings["top_p"], settings["top_k"]) == (
            True,
            0.1,
            0.95,
            0,
        )
        answers = {}
        texts = model.tokenizer.batch_decode(input_ids, skip_special_tokens=True)
        ids = []
        for text in texts:
            drawn[text] += 1
            answers = "    return 2 * x\n```\nDone." if drawn[text] <= passes[text] else "    return x\n"
            ids.append(model.tokenizer(answers).input_ids)
        width = max(map(len, ids))
        padded = [row + [model.tokenizer.eos_token_id] * (width - len(row)) for row in ids]
        return torch.cat([input_ids, torch.tensor(padded)], dim=1)

    model.model.generate = generate
    result = evaluate(model, "humaneval", batch_size=7)
    assert set(drawn.values()) == {20}
    shares = [sample["correct"] for sample in result.samples]
    assert shares == [1.0, 0.15, 0.0]
    assert result.value == pytest.approx(100 * 1.15 / 3)
    at_10 = 1 - (17 * 16 * 15 * 14 * 13 * 12 * 11 * 10 * 9 * 8) / (20 * 19 * 18 * 17 * 16 * 15 * 14 * 13 * 12 * 11)
    assert result.scores["pass@10,strict"] == pytest.approx(100 * (1 + at_10) / 3)
    assert (result.low, result.high) == pytest.approx([100 * end for end in bootstrap_interval(shares)[1:]])
    assert result.samples[1]["generation"].count("    return 2 * x\n") == 3
    assert len(result.samples[1]["extracted"]) == 20
    assert (result.decoding["samples"], result.decoding["seed"]) == (20, 0)


def test_a_fence_at_once_ends_the_answer(root, model):
    write(root, "openai/openai_humaneval/test", [HUMANEVAL])
    script(model, {row["prompt"]: "```\nThis doubles." for row in benchmarks.rows("humaneval_greedy", "test")})
    assert evaluate(model, "humaneval_greedy").samples[0]["generation"] == ""


def test_sampling_is_the_same_each_time_and_leaves_random_numbers_alone(root, model):
    write(root, "openai/openai_humaneval/test", [HUMANEVAL] * 2)
    model.model.config.max_position_embeddings = 240
    before = torch.get_rng_state()
    with pytest.warns(UserWarning, match="answers are limited"):
        first, second = (evaluate(model, "humaneval", batch_size=8, limit=1).samples[0]["generation"] for _ in range(2))
    assert first == second and len(set(first)) > 1
    assert torch.equal(torch.get_rng_state(), before)


def test_code_is_scored_strictly_and_flexibly(root, model):
    rows = [{**MBPP, "text": f"Add {i}."} for i in range(4)]
    write(root, "google-research-datasets/mbpp/full/test", rows)
    program = "def add(a, b):\n    return a + b\n"
    answers = [f"{program}```\nThis adds.", f"{program}\nThis adds.", "def plus(a, b):\n    return a + b", "I cannot."]
    prompts = [row["prompt"] for row in benchmarks.rows("mbpp", "test")]
    script(model, dict(zip(prompts, answers, strict=True)))
    result = evaluate(model, "mbpp")
    assert result.scores == {"pass@1,strict": 25, "pass@1,flexible": 50}
    assert [sample["scores"] for sample in result.samples[:2]] == [
        {"pass@1,strict": 1, "pass@1,flexible": 1},
        {"pass@1,strict": 0, "pass@1,flexible": 1},
    ]


def test_mmlu_has_a_mean_over_items_one_over_subjects_and_each_subjects(root, model, monkeypatch):
    subjects = ["world_religions"] * 3 + ["anatomy"]
    rows = [
        {"question": f"Q{i}?", "subject": subject, "choices": list("wxyz"), "answer": 1}
        for i, subject in enumerate(subjects)
    ]
    write(root, "cais/mmlu/all/test", rows)
    write(root, "cais/mmlu/all/validation", rows)
    says = dict(zip(["Q0?", "Q1?", "Q2?", "Q3?"], "BBAB", strict=True))

    def forward(input_ids, **kwargs):
        logits = torch.zeros(*input_ids.shape, len(model.tokenizer))
        for row, text in zip(logits, model.tokenizer.batch_decode(input_ids), strict=True):
            assert text.rstrip("<pad>").endswith("Answer:\n<|assistant|>\nThe answer is: ")
            row[:, model.tokenizer.convert_tokens_to_ids(next(v for k, v in says.items() if k in text))] = 5
        return SimpleNamespace(logits=logits)

    monkeypatch.setattr(model.model, "forward", forward)
    result = evaluate(model, "mmlu", batch_size=3)
    assert result.scores == pytest.approx({"acc,none": 75, "acc_macro,none": 100 * (2 / 3 + 1) / 2})
    assert result.groups == pytest.approx({"world_religions": 200 / 3, "anatomy": 100})
    assert (result.value, result.decoding) == (75, None)


PUBLISHED = {  # folder and number of test items
    "gsm8k": ("openai/gsm8k/main", 1319),
    "humaneval": ("openai/openai_humaneval", 164),
    "mbpp": ("google-research-datasets/mbpp/full", 500),
    "mmlu": ("cais/mmlu/all", 14042),
}
needs = {task: pytest.mark.needs_published(f"{folder}/test") for task, (folder, _) in PUBLISHED.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("task", "n"), [pytest.param(t, n, marks=needs[t]) for t, (_, n) in PUBLISHED.items()])
def test_published_items_make_prompts(task, n):
    loaded = benchmarks.load_task(task, "test")
    prompts = {benchmarks.prompt(loaded, document) for document in loaded.eval_docs}
    documents = benchmarks.documents(task, "test")
    assert len(documents) == n
    assert n - len(prompts) < n / 100  # MMLU and MBPP hold a few items twice
    assert not any("{{" in prompt and "{{" not in json.dumps(documents) for prompt in prompts)


@needs["gsm8k"]
def test_the_first_published_gsm8k_prompt():
    prompt = benchmarks.rows("gsm8k", "test", 1)[0]["prompt"]
    assert prompt.startswith("<|user|>\nAnswer the following question.\n\nQuestion: Janet’s ducks lay 16 eggs per day.")
    assert prompt.endswith("at the farmers' market?\n<|assistant|>\nAnswer:")


@needs["humaneval"]
@needs["mbpp"]
def test_published_solutions_are_parsable_as_a_whole():
    for task in ("humaneval", "mbpp"):
        for document in benchmarks.documents(task, "test"):
            code = document.get("code") or document["prompt"] + document["canonical_solution"]
            assert parsable(code.replace("\r", "")) == code.replace("\r", "")
