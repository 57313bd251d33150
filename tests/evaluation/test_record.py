"""The record of a score: what was measured, on what, and which items were right."""

import pytest
from helpers.data import write
from helpers.scripted import GSM8K, script

from semalign.data.tasks import items_hash, rows, split_fingerprint
from semalign.evaluation import record as record_module
from semalign.evaluation.record import score_record
from semalign.evaluation.run import evaluate
from semalign.models.identity import model_identity
from semalign.results.records import read_record, write_record


@pytest.fixture(autouse=True)
def fresh():
    """Fingerprints of splits are kept for the process."""
    items_hash.cache_clear()


def test_the_record_of_a_score_by_hand(model, data, tmp_path):
    data("gsm8k", [{**GSM8K, "question": f"{i}?"} for i in range(3)])
    prompts = [row["prompt"] for row in rows("micro_gsm8k", "test")]
    script(model, dict(zip(prompts, [" #### 3", " so 3", " #### 4"], strict=True)))
    record = score_record(model, evaluate(model, "micro_gsm8k"), limit=3)
    assert (record["method"], record["teacher"], record["seed"], record["task"]) == ("none", None, None, "micro_gsm8k")
    assert (record["metric"], record["n"]) == ("exact_match,strict", 3)
    assert record["value"] == pytest.approx(100 / 3)
    assert record["interval"][0] < record["value"] < record["interval"][1]
    configuration = record["configuration"]
    assert (configuration["split"], configuration["limit"], configuration["engine"]) == ("test", 3, "transformers")
    assert "vllm" not in configuration and "task_file" not in configuration
    assert record["fingerprints"]["student"] == model_identity(model)
    assert record["details"]["correct"] == "100"
    assert record["details"]["examples"] == [
        {"prompt": prompt, "answer": answer, "correct": right}
        for prompt, answer, right in zip(prompts, [" #### 3", " so 3", " #### 4"], [True, False, False], strict=True)
    ]
    last = {f"exact_match,{rule}": 200 / 3 for rule in ("flexible", "lm_eval", "open_instruct")}
    scores = {"exact_match,strict": 100 / 3, **last}
    assert record["details"]["scores"] == pytest.approx(scores)
    write_record(tmp_path / "score.json", record)
    assert read_record(tmp_path / "score.json") == record


@pytest.mark.parametrize(
    ("sample", "answer"), [({"choice": 2}, 2), ({"generation": "a"}, "a"), ({"generation": ["b", "c"]}, "b")]
)
def test_the_answer_that_is_kept(sample, answer):
    kept = record_module._example({"doc_id": 0, "prompt": "?", "correct": True, **sample})
    assert kept == {"prompt": "?", "answer": answer, "correct": True}


def test_the_fingerprint_of_a_split_follows_its_items(root):
    marks = []
    for items in ([GSM8K], [GSM8K, GSM8K], [{**GSM8K, "answer": "#### 4"}]):
        items_hash.cache_clear()
        write(root, "semalign/micro-gsm8k/test", items)
        marks.append(split_fingerprint("micro_gsm8k", "test"))
    assert len(set(marks)) == 3
