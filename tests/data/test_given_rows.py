"""Rows as a user gives them: what is no rows gets the way to rows, and a row in no form or in two is named."""

import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset, DatasetDict

from semalign.data.given_rows import checked_row, not_rows
from semalign.data.rows import read_rows

ROW = {"prompt": "7+5?", "response": " 12"}
TALK = {"messages": [{"role": "user", "content": "7+5?"}, {"role": "assistant", "content": "12"}]}
COLUMNS = {"prompt": ["7+5?"], "response": [" 12"]}


class Polars:
    """A table as polars has it, which is not installed: it iterates over its columns."""

    def __iter__(self):
        return iter(())

    def to_dicts(self):
        return [ROW]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (
            DatasetDict(train=Dataset.from_list([ROW])),
            "a DatasetDict of 'train': give one of them, such as data['train']",
        ),
        ({"train": [ROW], "test": [ROW]}, "a dict of 'train', 'test': give one of them, such as data['train']"),
        (pd.DataFrame([ROW]), 'a DataFrame: give data.to_dict("records")'),
        (pa.Table.from_pylist([ROW]), "a Table: give data.to_pylist()"),
        (Polars(), "a Polars: give data.to_dicts()"),
        (ROW, "one row (a dict of 'prompt', 'response'): put it in a list"),
        (TALK, "one row (a dict of 'messages'): put it in a list"),
        (COLUMNS, "columns (a dict of 'prompt', 'response'): give datasets.Dataset.from_dict(data)"),
        ({"messages": [TALK["messages"]]}, "columns (a dict of 'messages'): give datasets.Dataset.from_dict(data)"),
        ({}, "an empty dict"),
        (5, "int"),
    ],
)
def test_what_is_no_rows_is_named_with_the_way_to_rows(data, problem):
    assert not_rows(data) == problem
    with pytest.raises(
        ValueError, match=r"^rows are a file, a list or a Dataset of prompts and responses, not "
    ) as refused:
        read_rows(data)
    assert str(refused.value).endswith(problem)


def test_the_ways_lead_to_rows():
    whole = Dataset.from_list([ROW])
    tables = pd.DataFrame([ROW]).to_dict("records"), pa.Table.from_pylist([ROW]).to_pylist(), Dataset.from_dict(COLUMNS)
    assert all(read_rows(data) == [ROW] for data in (*tables, DatasetDict(train=whole)["train"], [ROW], iter([ROW])))


def test_a_row_in_both_forms_is_named_and_one_with_an_empty_form_is_read():
    for empty in (None, [], float("nan")):
        assert checked_row("row 1", {**ROW, "messages": empty}) == ROW
    with pytest.raises(
        ValueError, match="row 2 has a 'prompt', a 'response' and 'messages': leave out the form not meant"
    ):
        read_rows([ROW, {**ROW, **TALK}])
    assert checked_row("row 1", {"prompt": "7+5?", **TALK}) == TALK  # as data sets of chats often have it


def test_tools_are_a_list_of_objects():
    assert checked_row("row 1", {**TALK, "tools": [{"name": "add"}]}) == {**TALK, "tools": [{"name": "add"}]}
    assert checked_row("row 1", {**TALK, "tools": []}) == TALK
    for tools in ("[]", ["add"], {"name": "add"}):
        with pytest.raises(
            ValueError, match="row 1: 'tools' must be a list of objects that describe functions, it is "
        ):
            checked_row("row 1", {**TALK, "tools": tools})


def test_what_holds_itself_is_refused():
    tools = [{"name": "add"}]
    tools[0]["more"] = tools
    with pytest.raises(ValueError, match="row 1: its 'messages' or 'tools' are nested too deeply"):
        checked_row("row 1", {**TALK, "tools": tools})
