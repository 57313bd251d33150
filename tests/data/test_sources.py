"""Where rows are read from, and what is said of a file that is missing or damaged."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
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
    write(other, "semalign/micro-gsm8k/test", [{**GSM8K, "answer": "other #### 1"}])
    monkeypatch.setenv("SEMALIGN_DATA", f"{other}:{root}")
    assert benchmarks.rows("micro_gsm8k", "test")[0]["response"] == " other #### 1"
    assert benchmarks.rows("micro_mmlu", "test")[0]["response"] == " C"


def test_a_missing_split_says_where_it_was_looked_for(root):
    with pytest.raises(FileNotFoundError) as error:
        benchmarks.rows("gsm8k", "test")
    assert str(root / "openai/gsm8k/main") in str(error.value)
    assert "SEMALIGN_DATA" in str(error.value)


def parquet(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.mark.parametrize(
    ("folder", "config"),
    [
        ("me/data/all", "all"),
        ("me/data/all/data", "all"),
        ("me/data/data/all", "all"),
        ("me/data", None),
        ("me/data/data", None),
        ("openai/openai_humaneval/openai_humaneval", None),
    ],
)
@pytest.mark.parametrize("names", [["test"], ["test-00000-of-00001"], ["test-00000-of-00002"] * 2])
def test_the_hubs_own_folders_and_shards_are_found(root, folder, config, names):
    names = [f"{name}.parquet".replace("-00000", f"-{i:05d}") for i, name in enumerate(names)]
    dataset = "openai/openai_humaneval" if folder.startswith("openai") else "me/data"
    for i, name in enumerate(names):
        parquet(root / folder / name, [{**GSM8K, "question": f"{i}?"}])
        parquet(root / folder / name.replace("test", "train"), [GSM8K] * 3)
    found = sources.dataset_rows(dataset, config, "test")
    assert [row["question"] for row in found] == [f"{i}?" for i in range(len(names))]
    assert found.places[-1] == f"{root / folder / names[-1]}, row 1"
    write(root, "x", found)
    assert sources.fingerprint(found) == sources.fingerprint(sources.read_file(root / "x.jsonl"))


@pytest.mark.parametrize("suffix", [".json", ".jsonl.gz", ".json.gz", ".csv", ".csv.gz"])
def test_other_files_of_rows_are_found(root, suffix):
    (root / "openai/gsm8k/main").mkdir(parents=True, exist_ok=True)
    text = json.dumps([GSM8K]) if "json" in suffix else f'question,answer\n"{GSM8K["question"]}","{GSM8K["answer"]}"\n'
    content = gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode()
    (root / f"openai/gsm8k/main/test{suffix}").write_bytes(content)
    assert benchmarks.documents("gsm8k", "test") == [GSM8K]


def test_a_missing_shard_is_an_error(root):
    for i in (0, 2):
        parquet(root / f"openai/gsm8k/main/test-{i:05d}-of-00003.parquet", [GSM8K])
    with pytest.raises(ValueError, match=r"main has 2 of the 3 files of split 'test'"):
        benchmarks.documents("gsm8k", "test")


def test_a_byte_order_mark_and_blank_lines_change_nothing(root):
    path = root / "openai/gsm8k/main/test.jsonl"
    write(root, "openai/gsm8k/main/test", [GSM8K, GSM8K])
    plain = sources.fingerprint(benchmarks.documents("gsm8k", "test"))
    path.write_text("\ufeff" + path.read_text().replace("\n", "\n\n") + "  \n")
    assert sources.fingerprint(benchmarks.documents("gsm8k", "test")) == plain


def test_a_data_root_that_is_no_folder_of_data_is_named(root, monkeypatch, tmp_path_factory):
    file = tmp_path_factory.mktemp("other") / "file"
    file.write_text("")
    monkeypatch.setenv("SEMALIGN_DATA", f"{file}:{root}")
    with pytest.raises(NotADirectoryError, match=r"the data root .*file is a file: SEMALIGN_DATA names folders"):
        benchmarks.documents("gsm8k", "test")
    monkeypatch.setenv("SEMALIGN_DATA", str(root))
    (root / "cais/mmlu/all/test").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"all/test is a folder: put test.jsonl or test.parquet in its place"):
        benchmarks.documents("mmlu", "test")


def test_a_data_root_without_permission_is_named(root, monkeypatch):
    def refuse(folder):
        raise PermissionError

    monkeypatch.setattr(sources.os, "listdir", refuse)  # whoever runs the tests may be allowed to read everything
    with pytest.raises(PermissionError, match=r"no permission to read .*main, a folder of a data root"):
        benchmarks.documents("gsm8k", "test")


def test_what_json_does_not_have_is_hashed_as_its_text(tmp_path):
    import datetime

    parquet(tmp_path / "a.parquet", [{"day": datetime.date(2024, 1, 2), "raw": b"x"}])
    rows = sources.read_file(tmp_path / "a.parquet")
    assert sources.jsonl(rows) == '{"day": "2024-01-02", "raw": "b\'x\'"}\n'
