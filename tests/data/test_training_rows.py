"""Rows to train on: what may not be among them, on rows made by hand and on the published data where they are."""

import pytest
import yaml
from helpers.data import GSM8K, HUMANEVAL, write

from semalign.data import tasks as benchmarks
from semalign.data import training_rows as training_data
from semalign.data.contamination import question_key
from semalign.data.task_file import task_file
from semalign.data.training_rows import rows

CODE = "sahil2801/CodeAlpaca-20k"


def question(text, choices="abcd", answer=2, subject="world_religions"):
    return {"question": text, "subject": subject, "choices": list(choices), "answer": answer}


def test_mmlu_trains_on_validation_and_dev_without_what_is_tested(root):
    write(root, "cais/mmlu/all/test", [question("Tested?"), question("Same words, other choices?", "wxyz")])
    write(
        root,
        "cais/mmlu/all/validation",
        [question("First?"), question("tested? "), question("Tested?", "dcba", 1), question("First?")],
    )
    write(root, "cais/mmlu/all/dev", [question("Same words, other choices?"), question("Second?", answer=0)])
    found = rows("mmlu")
    assert sorted(row["prompt"].split("\n")[3] for row in found) == ["First?", "Same words, other choices?", "Second?"]
    second = next(row for row in found if "Second?" in row["prompt"])
    assert second == {
        "prompt": "<|user|>\nThe following are multiple choice questions (with answers) about world religions.\n\n"
        "Second?\nA. a\nB. b\nC. c\nD. d\nAnswer:\n<|assistant|>\nThe answer is:",
        "response": " A",
    }
    assert rows("mmlu") == found  # shuffled, always alike
    assert rows("mmlu", 2) == found[:2]
    with pytest.raises(ValueError, match="mmlu has 3 training rows, fewer than 4"):
        rows("mmlu", 4)


def test_mmlu_needs_both_splits_and_the_test(root):
    write(root, "cais/mmlu/all/dev", [question("First?")])
    write(root, "cais/mmlu/all/test", [question("Tested?")])
    with pytest.raises(FileNotFoundError, match="'validation' of cais/mmlu"):
        rows("mmlu")


def code(instruction, output, given=""):
    return {"instruction": instruction, "input": given, "output": output}


def test_humaneval_trains_on_instructions_that_give_no_item_away(root):
    prompt = 'def sort_them(x):\n    """Sort these numbers by their digits\' sum.\n    >>> 1\n    """\n'
    items = [HUMANEVAL, {**HUMANEVAL, "entry_point": "sort_them", "prompt": prompt}]
    write(root, "openai/openai_humaneval/test", items)
    kept = [
        code("Double the number.", "print(2 * 3)"),
        code("Sort a list.", "sorted(x)", "[3, 1]"),
        code("Call a method.", "number.double()"),
        code("What is sort_them_all?", "A name."),
    ]
    held = [
        code("Write a function.", "def double (x):\n    return 2 * x"),
        code("What does double(4) give?", "8"),
        code("Explain sort_them.", "It sorts."),
        code("Sort  these numbers by\ntheir digits' sum.", "..."),
        code("Say nothing.", " "),
        code("", "An answer to nothing."),
    ]
    write(root, f"{CODE}/train", [*held, *kept])
    found = rows("humaneval")
    assert [row["response"] for row in found] == [row["output"] for row in kept]
    assert found[1]["prompt"] == "<|user|>\nSort a list.\n\n[3, 1]\n<|assistant|>\n"
    assert rows("humaneval_greedy", 2, chat="llama2") == [
        {"prompt": "[INST] Double the number. [/INST]", "response": " print(2 * 3)"},
        {"prompt": "[INST] Sort a list.\n\n[3, 1] [/INST]", "response": " sorted(x)"},
    ]


def test_other_instructions_may_be_named_and_must_have_the_columns(root):
    write(root, "openai/openai_humaneval/test", [HUMANEVAL])
    write(root, "me/mine/train", [{"instruction": "Say a.", "output": "a"}])
    write(root, "me/other/train", [{"question": "Say a.", "output": "a"}])
    assert rows("humaneval", dataset="me/mine", chat="plain") == [{"prompt": "Say a.", "response": "\na"}]
    with pytest.raises(ValueError, match=r"other/train.jsonl, line 1: no column 'instruction'"):
        rows("humaneval", dataset="me/other")
    with pytest.raises(ValueError, match="gsm8k trains on its own data"):
        rows("gsm8k", dataset="me/mine")


def test_other_tasks_train_on_their_own_split(root):
    write(root, "openai/gsm8k/main/train", [GSM8K] * 3)
    assert rows("gsm8k", 2) == benchmarks.rows("gsm8k", "train", 2)


@pytest.mark.slow
@pytest.mark.needs_published("cais/mmlu/all/dev", "cais/mmlu/all/test")
def test_published_dev_questions_that_stand_in_the_test(tmp_path):
    """Counted apart, letter by letter: 5 of the 285 dev items stand in the test so, and one stands twice in dev."""
    only_dev = tmp_path / "mmlu_dev.yaml"
    metadata = {**task_file("mmlu").metadata, "training": {"splits": ["dev"]}}
    only_dev.write_text(yaml.safe_dump({"include": "mmlu.yaml", "metadata": metadata}))
    dev, test = (benchmarks.documents("mmlu", split) for split in ("dev", "test"))
    verbatim = {(d["question"], *d["choices"]) for d in dev} & {(d["question"], *d["choices"]) for d in test}
    left = {row["prompt"] for row in rows(only_dev)}
    assert len(verbatim) == 5 and len(left) == 279
    assert not any(f"{question}\nA. {a}\n" in prompt for question, a, *_ in verbatim for prompt in left)
    assert len({question_key(d) for d in dev} & {question_key(d) for d in test}) == 5


@pytest.mark.needs_published("google-research-datasets/mbpp/full/train")
def test_published_mbpp_trains_on_601_to_974():
    documents = benchmarks.documents("mbpp", "train")
    assert [document["task_id"] for document in documents] == list(range(601, 975))
    found = training_data.rows("mbpp", 300)
    assert len(found) == 300 and not any("\r" in row["prompt"] + row["response"] for row in found)
