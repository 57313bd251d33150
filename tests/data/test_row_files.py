"""Every kind of file of rows, and the line that each damaged one gets."""

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semalign.data.row_files import SUFFIXES, is_row_file, read_file
from semalign.data.rows import read_rows

ROWS = [{"prompt": "où?", "response": " là, \u2028 1"}, {"prompt": "b\n", "response": '"2"'}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
ARRAY = json.dumps(ROWS, indent=1)
BOM = "\ufeff".encode()
PACKED = gzip.compress(LINES.encode(), mtime=0)  # the same for every process that collects the tests


def as_csv(rows, delimiter=","):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_parquet(rows):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES.encode()),
        ("a.ndjson", LINES.encode()),
        ("a.json", LINES.encode()),
        ("a.json", ARRAY.encode()),
        ("a.jsonl", ARRAY.encode()),
        ("a.JSONL", BOM + LINES.encode()),
        ("a.json", BOM + ARRAY.encode()),
        ("a.jsonl", LINES.replace("\n", "\r\n").encode()),
        ("a.jsonl", f"\n{LINES}\n \n\n".encode()),
        ("a.jsonl", LINES.rstrip("\n").encode()),
        ("a.jsonl", LINES.encode("utf-16")),
        ("a.json", "\ufeff".encode("utf-16-be") + ARRAY.encode("utf-16-be")),
        ("a.csv", as_csv(ROWS).encode("utf-16")),
        ("a.jsonl", LINES.encode("utf-32")),
        ("a.jsonl.gz", gzip.compress(LINES.encode("utf-16"), mtime=0)),
        ("a.csv", as_csv(ROWS).encode()),
        ("a.csv", BOM + as_csv(ROWS).encode()),
        ("a.tsv", as_csv(ROWS, "\t").encode()),
        ("a.parquet", as_parquet(ROWS)),
        ("a.jsonl.gz", PACKED),
        ("a.json.gz", gzip.compress(BOM + ARRAY.encode(), mtime=0)),
        ("a.csv.gz", gzip.compress(as_csv(ROWS).encode(), mtime=0)),
        ("a.jsonl", PACKED),
    ],
)
def test_one_content_in_every_form_gives_the_same_rows(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert read_file(path) == read_rows(path) == ROWS


def test_a_row_knows_its_place(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"a": 1}\n\n{"a": 2}\n')
    assert read_file(path).places == [f"{path}, line 2", f"{path}, line 4"]
    path.write_text('[{"a": 1},\n{"a": 2}]')
    assert read_file(path).places == [f"{path}, row 1", f"{path}, row 2"]
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,2\n"3\n4",5\n')
    assert read_file(path).places == [f"{path}, line 2", f"{path}, line 4"]
    assert read_file(path)[1] == {"a": "3\n4", "b": "5"}


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path):
    path = tmp_path / "split=test" / "a.parquet"
    path.parent.mkdir()
    path.write_bytes(as_parquet(ROWS))
    assert read_file(path) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"", "a.jsonl has no rows"),
        ("a.jsonl", b" \n\n", "a.jsonl has no rows"),
        ("a.json", b"[]", "a.json has no rows"),
        ("a.csv", b"prompt,response\n", "a.csv has no rows"),
        ("a.parquet", as_parquet(ROWS[:1])[:-30], "a.parquet is damaged, or no Parquet file"),
        ("a.parquet", b"PAR1", "a.parquet is damaged, or no Parquet file"),
        ("a.parquet", b"", "a.parquet is damaged, or no Parquet file"),
        ("a.jsonl.gz", PACKED[:40], "a.jsonl.gz is damaged, or no gzip file"),
        ("a.jsonl.gz", PACKED[:15] + b"\0" * 40, "a.jsonl.gz is damaged, or no gzip file"),
        ("a.jsonl.gz", LINES.encode(), "a.jsonl.gz is damaged, or no gzip file"),
        ("a.jsonl", b'{"a": 1}\n{', "line 2 is not JSON"),
        ("a.jsonl", b'{"a": 1}\n{"a"\n', "line 2 is not JSON"),
        ("a.jsonl", b'{"a": 1} {"a": 2}\n', "line 1 is not JSON"),
        ("a.json", b'[\n{"a": 1},\n{"a" 2}]', "line 3 is not JSON"),
        ("a.json", b'[{"a": 1}', "line 1 is not JSON"),
        ("a.json", b'{\n"data": []}', "line 1 is not JSON .*one JSON object a line, or one array of objects"),
        ("a.jsonl", b'{"a": 1}\n3\n', "line 2 must be a JSON object"),
        ("a.jsonl", b'{"a": 1}\n"x"\n', "line 2 must be a JSON object"),
        ("a.jsonl", b"[1]\n", "row 1 must be a JSON object"),
        ("a.json", b'[{"a": 1}, null]', "row 2 must be a JSON object"),
        ("a.jsonl", b'{"a": 1, "b": 2, "a": 3}\n', "line 1: an object has the key 'a' twice"),
        ("a.jsonl", b'{"a": {"b": 2, "b": 3}}\n', "line 1: an object has the key 'b' twice"),
        ("a.jsonl", b'{"a": ' + b"9" * 5000 + b"}\n", "line 1: Exceeds the limit"),
        ("a.jsonl", b'{"a": ' + b"[" * 200_000 + b"}\n", "line 1: maximum recursion depth"),
        ("a.jsonl", b'{"a": "\\ud83d"}\n', r"line 1 has half of a character \(\\ud83d\)"),
        ("a.jsonl", LINES.encode() + "{\"a\": \"é\"}".encode("latin-1"), "line 3: byte 0xe9 is not UTF-8; .*iconv"),
        ("a.csv", as_csv(ROWS).encode("latin-1", "replace"), "line 2: byte 0xf9 is not UTF-8; .*iconv"),
        ("a.jsonl", LINES.encode("utf-16")[:-1], r"begins as UTF-16 but is none \(truncated data\): save it as UTF-8"),
        ("a.csv", LINES.encode(), "a.csv holds JSON, not CSV: give it a name that ends in .jsonl"),
        ("a.csv", LINES.split("\n")[0].encode(), "a.csv holds JSON, not CSV"),
        ("a.tsv", BOM + b"\n" + ARRAY.encode(), "a.tsv holds JSON, not CSV"),
        ("a.csv", b"a,b\n1,2\n3\n", "line 3 does not have the header's 2 fields"),
        ("a.csv", b"a,b\n1,2,3\n", "line 2 does not have the header's 2 fields"),
        ("a.csv", b'a,b\n1,"2\n', "line 2 is not CSV: unexpected end of data"),
        ("a.csv", b"a,b,a\n1,2,3\n", "the header has the column 'a' twice"),
        ("a.xlsx", b"PK", "a.xlsx: a file of rows is named .jsonl, .*or one of these .gz"),
        ("a.txt", LINES.encode(), "a file of rows is named"),
        ("a", LINES.encode(), "a file of rows is named"),
        ("a.parquet.gz", b"x", "a file of rows is named"),
    ],
)  # fmt: skip
def test_a_damaged_file_gets_one_line_with_file_and_place(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_file(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("header", ["{x", "[1]", '"{}"', "[]", "{}{}x"])
def test_a_header_with_brackets_is_one(tmp_path, header):
    (tmp_path / "a.csv").write_text(f"{header}\n1\n")
    if header == "{}{}x":  # an object, as no header begins
        with pytest.raises(ValueError, match="holds JSON"):
            read_file(tmp_path / "a.csv")
    else:
        assert list(read_file(tmp_path / "a.csv")[0].values()) == ["1"]


def test_a_field_may_be_as_long_as_a_row_may_be(tmp_path):
    (tmp_path / "a.csv").write_text(f"a,b\n{'x' * 200_000},1\n")
    assert len(read_file(tmp_path / "a.csv")[0]["a"]) == 200_000


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no data file .*none\.jsonl"):
        read_file(tmp_path / "none.jsonl")
    with pytest.raises(IsADirectoryError, match="is a folder: give a file of rows"):
        read_file(tmp_path)


def test_the_suffix_says_whether_it_is_a_file_of_rows():
    assert all(map(is_row_file, ["a.jsonl", "b/c.CSV", "d.json.gz", "e.parquet"]))
    assert not any(map(is_row_file, ["gsm8k", "a.yaml", "a.gz", "a.parquet.gz", "a.txt"]))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SUFFIXES), st.sampled_from(["plain", "gzip", "cut"]), st.data())
def test_any_bytes_give_rows_or_one_line_with_the_file(suffix, packed, data):
    whole = data.draw(st.sampled_from([b"", LINES.encode(), ARRAY.encode(), as_csv(ROWS).encode(), as_parquet(ROWS)]))
    at = data.draw(st.integers(0, len(whole)))
    content = whole[:at] + data.draw(st.binary(max_size=12)) + whole[data.draw(st.integers(at, len(whole))) :]
    content = content if packed == "plain" else gzip.compress(content)
    content = content[: data.draw(st.integers(0, len(content)))] if packed == "cut" else content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(content)
        try:
            rows = read_file(path)
        except ValueError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
        else:
            assert rows and all(isinstance(row, dict) for row in rows) and len(rows.places) == len(rows)
