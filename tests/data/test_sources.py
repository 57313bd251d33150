"""Where rows are read from, and what is said of a file that is missing or damaged."""

import pytest
from helpers.data import GSM8K, HUMANEVAL, MBPP, MMLU, write

from semalign.data import sources
from semalign.data import tasks as benchmarks


@pytest.fixture
def root(root):
    """A data root with one row of each task."""
    rows = {"mmlu": MMLU, "gsm8k": GSM8K, "humaneval": HUMANEVAL, "mbpp": MBPP}
    for name, row in rows.items():
        write(root, f"semalign/micro-{name}/test", [row])
    write(root, "openai/gsm8k/main/train", [GSM8K])
    return root


def test_the_first_data_root_wins(root, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    write(other, "semalign/micro-gsm8k/test", [{**GSM8K, "answer": "other"}])
    monkeypatch.setenv("SEMALIGN_DATA", f"{other}:{root}")
    assert benchmarks.rows("micro_gsm8k", "test")[0]["response"] == " other"
    assert benchmarks.rows("micro_mmlu", "test")[0]["response"] == " C"


def test_a_missing_split_says_where_it_was_looked_for(root):
    with pytest.raises(FileNotFoundError) as error:
        benchmarks.rows("gsm8k", "test")
    assert str(root / "openai/gsm8k/main") in str(error.value)
    assert "SEMALIGN_DATA" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ('{"question": 1}\n{', "line 2 is not JSON"),
        ("[1]\n", "line 1 must be a JSON object"),
    ],
)
def test_damaged_files_are_named(tmp_path, text, message):
    path = tmp_path / "train.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        sources.read_file(path)
