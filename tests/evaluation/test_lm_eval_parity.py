"""Our tasks against lm-eval's stock ones, same items, model and prompts: equal, or different for the reason told."""

import sys

import pytest
import torch
from helpers.data import write
from helpers.scripted import GSM8K

from semalign import load_model
from semalign.data import tasks as benchmarks
from semalign.paths import models_dir, project_root

sys.path.insert(0, str(project_root() / "benchmarks"))

from lm_eval_parity import compare, unexplained


@pytest.fixture
def student():
    if not (models_dir() / "micro-student").is_dir():
        pytest.skip("the micro family is not there: `semalign pretrain` makes it")
    return load_model("micro-student")


@pytest.mark.slow
@pytest.mark.needs_published("openai/gsm8k/main/test", "cais/mmlu/all/test")
@torch.no_grad()
def test_published_items_score_alike(student):
    rows = {"gsm8k": benchmarks.documents("gsm8k", "test", 4)}
    rows["mmlu"] = [row for row in benchmarks.documents("mmlu", "test") if row["subject"] == "astronomy"][:4]
    for name, part in rows.items():
        lines = compare(student, name, part, max_tokens=24)
        assert len(lines) == (12 if name == "gsm8k" else 4)
        assert not [line for line in lines if unexplained(line)]


@torch.no_grad()
@pytest.mark.parametrize(
    ("answer", "ours", "stock"),
    [
        (" 1+2=3\n#### 3", (1, 1), (1, 1)),
        (" It is 3 ...", (0, 1), (0, 0)),  # stock takes the dots for a number
        (" It is 3.", (0, 1), (0, 1)),
        (" It is $3.", (0, 1), (0, 1)),
        (" #### 4 or 3", (0, 1), (0, 1)),
        (" -3", (0, 0), (0, 0)),
        (" 10-3", (0, 1), (0, 0)),  # stock takes the minus of a range or difference for a sign
    ],
)
def test_answers_are_scored_alike_but_for_the_flexible_number(model, monkeypatch, tmp_path, answer, ours, stock):
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    write(tmp_path, "openai/gsm8k/main/test", [GSM8K])

    def generate(input_ids, **settings):
        ids = [*model.tokenizer(answer).input_ids, model.tokenizer.eos_token_id]
        return torch.cat([input_ids, torch.tensor([ids])], dim=1)

    model.model.generate = generate
    lines = {line["extraction"]: line for line in compare(model, "gsm8k", [GSM8K])}
    for i, extraction in enumerate(("strict", "flexible")):
        assert lines[extraction]["score"] == {"ours": ours[i], "stock": stock[i]}
        assert not unexplained(lines[extraction])
    assert lines["lm_eval"]["score"] == {"ours": stock[1], "stock": stock[1]}


def test_a_difference_without_a_reason_is_told():
    line = {
        "extraction": "flexible",
        "answer": {"ours": [["3"]], "stock": [["3"]]},
        "taken": {"ours": ["3"], "stock": ["3"]},
        "score": {"ours": 1.0, "stock": 0.0},
    }
    assert unexplained(line)
    assert unexplained({**line, "taken": {"ours": ["3"], "stock": ["..."]}})
    dots = {**line, "answer": {"ours": [["3 ..."]], "stock": [["3 ..."]]}}
    assert not unexplained({**dots, "taken": {"ours": ["3"], "stock": ["..."]}})
    assert unexplained({**dots, "taken": {"ours": ["[invalid]"], "stock": ["..."]}})
    assert unexplained({**line, "answer": {"ours": [["3"]], "stock": [["4"]]}})
    assert unexplained({**line, "extraction": "strict", "taken": {"ours": ["3"], "stock": ["..."]}})
    letters = {"ours": [[(-1.0, True)], [(-2.0, False)]], "stock": [[(-1.0, True)], [(-2.1, False)]]}
    assert unexplained({**line, "extraction": "none", "answer": letters, "score": {"ours": 1.0, "stock": 1.0}})
