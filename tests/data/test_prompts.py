"""Prompts of a file, of a task and of HumanEval."""

import shutil

import pytest
from helpers.data import GSM8K, write

from semalign.data.prompts import read_prompts
from semalign.paths import project_root


def test_prompts_come_from_a_file(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    assert read_prompts(path) == ["one", "two"]
    path.write_text('{"prompt": "one"}\n{"text": "two"}\n')
    with pytest.raises(ValueError, match=r"prompts.jsonl, line 2: no column 'prompt', only text"):
        read_prompts(path)
    path.write_text('{"prompt": "one"}\n{"prompt": 2}\n')
    with pytest.raises(ValueError, match=r"line 2: column 'prompt' must be text, it is 2"):
        read_prompts(path)


def test_prompts_may_be_a_column_of_csv(tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text('id,prompt\n1,"one, two"\n')
    assert read_prompts(str(path)) == ["one, two"]


def test_a_task_in_the_models_own_format_has_no_prompts_of_its_own(tmp_path):
    text = (project_root() / "examples" / "task" / "arithmetic.yaml").read_text()
    shutil.copytree(project_root() / "examples" / "task", tmp_path / "task")
    (tmp_path / "task" / "arithmetic.yaml").write_text(text.replace("chat: plain", "chat: model"))
    with pytest.raises(ValueError, match="asks in each model's own chat format"):
        read_prompts(tmp_path / "task" / "arithmetic.yaml")


def test_humaneval_is_looked_for_under_the_data_roots(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="openai_humaneval"):
        read_prompts("humaneval")
    (tmp_path / "openai/openai_humaneval").mkdir(parents=True)
    (tmp_path / "openai/openai_humaneval/test.jsonl").write_text('{"prompt": "def f():"}\n')
    assert read_prompts("humaneval") == ["def f():"]


def test_a_task_gives_the_prompts_of_its_test_split(root):
    write(root, "semalign/micro-gsm8k/test", [GSM8K])
    assert read_prompts("micro_gsm8k") == [f"Answer the following question.\n\nQuestion: {GSM8K['question']}\nAnswer:"]
    with pytest.raises(ValueError, match="did you mean 'micro_gsm8k'"):
        read_prompts("micro_gsm8")
