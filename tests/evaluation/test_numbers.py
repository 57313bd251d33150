"""The rules by which a number is read from an answer, each against values worked out by hand."""

import pytest
import torch
from helpers.data import write

from semalign.evaluation.numbers import last_number, open_instruct, same
from semalign.evaluation.run import evaluate

# answer, right number, and whether each rule calls it right: strict, flexible, lm-eval's flexible, open-instruct's
CASES = [
    ("6+23=29\n#### 29", "29", (1, 1, 1, 1)),
    ("#### 29 and not 30", "29", (1, 0, 0, 0)),  # the first number after the mark, or the last of all
    ("#### 29.", "29", (1, 1, 1, 1)),
    ("It is 29.", "29", (0, 1, 1, 1)),
    ("It is 29. Yes...", "29", (0, 1, 0, 1)),  # lm-eval takes the dots for a number
    ("It is $29.00", "29", (0, 0, 0, 0)),  # 29.00 is another text; without punctuation it is 2900
    ("#### $29", "29", (0, 1, 1, 1)),
    ("It is 29 $", "29", (0, 1, 1, 1)),  # one character is no number to lm-eval's first pattern
    ("It is 29 , $", "29", (0, 1, 1, 1)),
    ("read pages 10-15", "15", (0, 1, 0, 1)),
    ("20-5=15", "15", (0, 1, 1, 1)),
    ("That is -15", "-15", (0, 1, 1, 1)),  # open-instruct compares 15 and 15
    ("That is -15", "15", (0, 0, 0, 1)),
    ("That is 15", "-15", (0, 0, 0, 1)),
    ("It is twelve", "12", (0, 0, 0, 0)),
    ("12 of them, so twelve", "12", (0, 1, 1, 1)),
    ("It is 1.8", "18", (0, 0, 0, 1)),
    ("It is 1.8", "1.8", (0, 1, 1, 1)),
    ("It is .5", "0.5", (0, 0, 0, 0)),
    ("1,234", "1234", (0, 1, 1, 1)),
    ("#### 1,234", "1,234", (1, 1, 1, 1)),
    ("1234", "1,234", (0, 1, 1, 1)),
    ("It is 1/2", "2", (0, 1, 1, 1)),
    ("50%", "50", (0, 1, 1, 1)),
    ("#### 50 %", "50", (1, 1, 1, 1)),
    ("#### 29 apples", "29", (1, 1, 1, 1)),
    ("29 apples for 3 people", "29", (0, 0, 0, 0)),
    ("", "29", (0, 0, 0, 0)),
]


@torch.no_grad()
def test_every_rule_scores_the_same_answers_as_worked_out_by_hand(root, model):
    rows = [{"question": f"Q{i}?", "answer": f"So\n#### {right}"} for i, (_, right, _) in enumerate(CASES)]
    write(root, "semalign/micro-gsm8k/test", rows)

    def generate(input_ids, **settings):
        prompts = model.tokenizer.batch_decode(input_ids, skip_special_tokens=True)
        answers = [CASES[int(prompt.split("Question: Q")[1].split("?")[0])][0] for prompt in prompts]
        ids = [[*model.tokenizer(answer).input_ids, model.tokenizer.eos_token_id] for answer in answers]
        width = max(map(len, ids))
        padded = [row + [model.tokenizer.pad_token_id] * (width - len(row)) for row in ids]
        return torch.cat([input_ids, torch.tensor(padded)], dim=1)

    model.model.generate = generate
    result = evaluate(model, "micro_gsm8k")
    names = ("strict", "flexible", "lm_eval", "open_instruct")
    found = [tuple(int(item["scores"][f"exact_match,{name}"]) for name in names) for item in result.samples]
    assert found == [case[2] for case in CASES]
    for i, name in enumerate(names):
        share = sum(case[2][i] for case in CASES) / len(CASES)
        assert result.scores[f"exact_match,{name}"] == pytest.approx(100 * share)
    assert result.value == result.scores["exact_match,strict"]  # GSM8K's own rule is the score of micro_gsm8k


def test_open_instruct_reads_and_compares_by_hand():
    assert last_number("about 1,234,567 or +.5") == "+.5"
    assert last_number("pages 10-15") == "15"
    assert last_number("1,234,567") == "1234567"
    assert last_number("1,2,3") == "3"  # every other comma, as its pattern takes them
    assert last_number("none") == "none"
    assert same("1.8", "18") and same("-5", "5") and same("A.", "a") and not same("29.00", "29")
    documents = [{"answer": "1+1=2\n#### 1,002"}, {"answer": "-3"}]
    assert open_instruct([["1002.", "1.002", "5"], ["x 3"]], documents) == [["1002", "1002", "5"], ["-3"]]
