"""The types of a task file's keys: any value under any key is right or gets one line."""

import copy
import math

import pytest
from helpers.data import SUMS as ITEMS
from helpers.data import SUMS_TASK as CONTENT
from hypothesis import given, settings
from hypothesis import strategies as st

from semalign.data.task_check import check_task
from semalign.data.task_shapes import check_shapes


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dataset_path", 3, "dataset_path: Input should be a valid string; it is 3"),
        ("test_split", ["test"], "test_split: Input should be a valid string"),
        ("doc_to_text", 3.5, "doc_to_text.*: Input should be a valid string"),
        ("metric_list", "exact_match", "metric_list: Input should be a valid list"),
        ("metric_list", [{"name": "exact_match"}], "metric_list.0.metric: it is missing"),
        ("filter_list", [{"name": "a", "filter": "regex"}], "filter_list.0.filter: Input should be a valid list"),
        ("filter_list", [{"filter": [{"function": "regex"}]}], "filter_list.0.name: it is missing"),
        ("process_results", "score", "process_results.*: Input should be an instance of Function"),
        ("repeats", 0, "repeats: Input should be greater than or equal to 1"),
        ("generation_kwargs", {"max_gen_toks": "4"}, "generation_kwargs.max_gen_toks: Input should be a valid integer"),
        ("generation_kwargs", {"do_sample": "no"}, "generation_kwargs.do_sample: Input should be a valid boolean"),
        ("metadata", {"chat": "tuli"}, "metadata.chat: Input should be 'plain'"),
        ("metadata", {"training": {"splits": []}}, "metadata.training.splits: List should have at least 1 item"),
        ("metadata", {"training": None}, "metadata.training: Input should be"),
        ("metadata", {"columns": ["a"]}, "metadata.columns: Input should be a valid dictionary"),
        ("description", {"a": 1}, "description.*: Input should be a valid string"),
        ("metadata", [], "metadata: Input should be a valid dictionary"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(key, value, message):
    with pytest.raises(ValueError, match=message) as error:
        check_shapes({**CONTENT, key: value})
    assert "\n" not in str(error.value)


NAMES = [
    "metric",
    "name",
    "filter",
    "function",
    "version",
    "primary",
    "until",
    "data_files",
    "exam",
    "columns",
    "splits",
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(math.nan)
    | st.text(max_size=5)
    | st.sampled_from(["regex", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
MORE = ["output_type", "filter_list", "gen_prefix", "doc_to_choice", "repeats", "process_docs", "training_split"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*CONTENT, *MORE]), st.sampled_from(["", "metadata", "generation_kwargs"]), VALUES)
def test_any_value_is_right_or_gets_one_line(tmp_path_factory, key, inside, value):
    folder = tmp_path_factory.getbasetemp()
    (folder / "items.jsonl").write_text(f"{ITEMS[0]}".replace("'", '"'))
    content = copy.deepcopy(CONTENT)
    (content[inside] if inside else content)[key] = value
    try:
        check_task(content, folder)
    except ValueError as error:
        assert "\n" not in str(error)
