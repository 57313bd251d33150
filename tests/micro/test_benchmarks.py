import json
import re
from collections import Counter

import pytest

from semalign.micro import benchmarks
from semalign.paths import benchmarks_dir

FOLDER = benchmarks_dir() / "semalign"


@pytest.mark.slow
@pytest.mark.parametrize("name", benchmarks.ROWS)
@pytest.mark.parametrize("split", benchmarks.SPLITS)
def test_shipped_files_are_made_again_bit_for_bit(name, split):
    made = benchmarks.jsonl(benchmarks.ROWS[name](split))
    assert (FOLDER / name / f"{split}.jsonl").read_text(encoding="utf-8") == made


def test_write_all_writes_what_the_rows_say(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "ROWS", {"micro-mmlu": lambda split: benchmarks.mmlu_rows(split)[:3]})
    paths = benchmarks.write_all(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"micro-mmlu/{split}.jsonl" for split in benchmarks.SPLITS
    ]
    assert [json.loads(line) for line in paths[0].read_text().splitlines()] == benchmarks.mmlu_rows("train")[:3]


@pytest.mark.slow
@pytest.mark.parametrize("name", benchmarks.ROWS)
def test_prompts_of_different_splits_are_disjoint(name):
    prompts = {
        split: {benchmarks.prompt_and_response(name, row)[0] for row in benchmarks.ROWS[name](split)}
        for split in benchmarks.SPLITS
    }
    assert len(prompts["train"] | prompts["validation"] | prompts["test"]) == sum(map(len, prompts.values()))
    assert {split: len(texts) for split, texts in prompts.items()} == benchmarks.SIZES


def test_mmlu_questions_of_different_splits_are_disjoint_and_answers_balanced():
    questions = {split: {row["question"] for row in benchmarks.mmlu_rows(split)} for split in benchmarks.SPLITS}
    assert [len(questions[split]) for split in benchmarks.SPLITS] == [500, 500, 500]
    assert len(set.union(*questions.values())) == 1500
    for split in benchmarks.SPLITS:
        assert len(set(Counter(row["answer"] for row in benchmarks.mmlu_rows(split)).values())) == 1


def test_gsm8k_answers_have_the_marked_form():
    for row in benchmarks.gsm8k_rows("validation"):
        assert re.fullmatch(r"(\d+[-+*/]\d+=\d+( \w+)?\n){1,4}#### \d+", row["answer"])


@pytest.mark.slow
def test_canonical_solutions_pass_their_own_tests():
    for row in benchmarks.humaneval_rows("validation")[:100]:
        exec(f"{row['prompt']}{row['canonical_solution']}\n{row['test']}\ncheck({row['entry_point']})", {})
    for row in benchmarks.mbpp_rows("validation")[:100]:
        exec("\n".join([row["code"], *row["test_list"]]), {})
