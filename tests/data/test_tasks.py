import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.data import GSM8K, HUMANEVAL, MBPP, MMLU, write

from semalign.data import sources
from semalign.data import tasks as benchmarks
from semalign.data.task_check import check_task
from semalign.data.task_file import FOLDER, task_file, task_names
from semalign.paths import project_root


@pytest.fixture
def root(root):
    """A data root with one row of each task."""
    rows = {"mmlu": MMLU, "gsm8k": GSM8K, "humaneval": HUMANEVAL, "mbpp": MBPP}
    for name, row in rows.items():
        write(root, f"semalign/micro-{name}/test", [row])
    write(root, "openai/gsm8k/main/train", [GSM8K])
    return root


def test_a_file_of_a_task_that_changes_has_another_fingerprint(tmp_path):
    shutil.copytree(project_root() / "examples" / "task", tmp_path / "task")
    task, items = tmp_path / "task" / "arithmetic.yaml", tmp_path / "task" / "test.jsonl"
    before = benchmarks.split_fingerprint(task, "test")
    assert benchmarks.split_fingerprint(task, "test") == before
    items.write_text("".join(items.read_text().splitlines(keepends=True)[:-1]))
    assert benchmarks.split_fingerprint(task, "test") != before
    items.unlink()
    with pytest.raises(FileNotFoundError, match="no data file"):
        benchmarks.split_fingerprint(task, "test")


def test_rows_split_the_text_where_generation_does(root):
    rows = {name: benchmarks.rows(name, "test")[0] for name in task_names() if "micro" in name}
    assert rows["micro_mmlu"] == {
        "prompt": "The following are multiple choice questions (with answers) about maps.\n\n"
        "What is the capital of Zub?\nA. Ra\nB. Ro\nC. Ru\nD. Ry\nAnswer:",
        "response": " C",
    }
    assert rows["micro_gsm8k"] == {
        "prompt": "Answer the following question.\n\nQuestion: Kim has 4 nuts, eats 1. How many?\nAnswer:",
        "response": " 4-1=3\n#### 3",
    }
    assert rows["micro_humaneval"] == {
        "prompt": HUMANEVAL["prompt"],
        "response": HUMANEVAL["canonical_solution"],
    }
    assert rows["micro_mbpp"] == {
        "prompt": '"""\nWrite a function to add.\nassert add(1, 2) == 3\nassert add(0, 0) == 0\n"""\n',
        "response": MBPP["code"],
    }
    assert benchmarks.rows("gsm8k", "train") == [
        {
            "prompt": "<|user|>\nAnswer the following question.\n\n"
            "Question: Kim has 4 nuts, eats 1. How many?\n<|assistant|>\nAnswer:",
            "response": " 4-1=3\n#### 3",
        }
    ]


def test_odd_texts_come_through_unchanged(root):
    answers = [f"{text}#### 1" for text in ("[1]", "7", " {{question}} ", "\n")]
    write(
        root,
        "semalign/micro-gsm8k/train",
        [{"question": "{% raw %} \\n", "answer": text} for text in answers],
    )
    rows = benchmarks.rows("micro_gsm8k", "train")
    assert [row["response"] for row in rows] == [f" {text}" for text in answers]
    assert "Question: {% raw %} \\n\nAnswer:" in rows[0]["prompt"]


def test_a_limit_is_of_each_subject_for_mmlu(root):
    items = [{**MMLU, "subject": subject, "question": f"{i}?"} for i, subject in enumerate("aababb")]
    write(root, "cais/mmlu/all/test", items)
    taken = benchmarks.load_task("mmlu", "test", 2).eval_docs
    assert [(item["subject"], item["question"]) for item in taken] == [
        ("a", "0?"),
        ("a", "1?"),
        ("b", "2?"),
        ("b", "4?"),
    ]
    assert len(benchmarks.rows("mmlu", "test", 2)) == 2  # rows to train on are counted as they are


def test_limit_takes_the_first_rows(root):
    write(root, "semalign/micro-gsm8k/train", [{**GSM8K, "answer": f"#### {i}"} for i in range(5)])
    assert [row["response"] for row in benchmarks.rows("micro_gsm8k", "train", limit=2)] == [
        " #### 0",
        " #### 1",
    ]
    with pytest.raises(ValueError, match="at least 1"):
        benchmarks.rows("micro_gsm8k", "train", limit=0)


def test_parquet_gives_the_same_rows(root):
    expected = benchmarks.rows("micro_mbpp", "test")
    pq.write_table(pa.Table.from_pylist([MBPP]), root / "semalign/micro-mbpp/test.parquet")
    (root / "semalign/micro-mbpp/test.jsonl").unlink()
    assert [path.name for path in sources.locate("semalign/micro-mbpp", None, "test")] == ["test.parquet"]
    assert benchmarks.rows("micro_mbpp", "test") == expected


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'micro_gsm8k'"):
        benchmarks.rows("micro_gsm8", "train")


def test_every_task_file_is_complete():
    for name in task_names():
        config = task_file(name).content
        metric, extraction = config["metadata"]["primary"].split(",")
        check_task(config, FOLDER)
        assert config["task"] == name and task_file(name).bundled
        assert metric in [entry["metric"] for entry in config["metric_list"]]
        assert extraction in [entry["name"] for entry in config.get("filter_list", [{"name": "none"}])]
        if config["output_type"] == "generate_until":
            assert config["generation_kwargs"]["do_sample"] is (name in ("humaneval", "humaneval_open_instruct"))
            assert config["generation_kwargs"]["max_gen_toks"] > 0
