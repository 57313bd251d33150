"""Messages in one line: folded, cut, and with the name of the class where it is needed."""

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semalign.errors import LONGEST, folded, nearest, one_line, problems


class Size(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int = Field(1, ge=1)
    layers: list[int] = []


def refused(**values):
    with pytest.raises(ValidationError) as raised:
        Size(**values)
    return raised.value


def test_a_text_is_folded_into_a_line():
    assert folded(" a\n\tb  c\r\n") == "a b c"
    assert folded("a\x1b[31m\x00\ud800") == r"a\x1b[31m\x00\ud800"
    long = folded("begin " + "x" * 2000 + " end")
    assert len(long) <= LONGEST and long.startswith("begin x") and long.endswith("x end") and " ... " in long


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no\nmodel"), "no model"),
        (FileNotFoundError(2, "No such file or directory", "a"), "[Errno 2] No such file or directory: 'a'"),
        (KeyError("a"), "KeyError: 'a'"),
        (ValueError(), "ValueError"),
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_the_class_is_named_where_the_message_needs_it(error, message):
    assert one_line(error) == message


def test_the_nearest_name_is_proposed():
    assert nearest("rnk", ["seed", "rank"]) == ", did you mean 'rank'?"
    assert nearest("xyz", ["seed", "rank"]) == nearest(None, []) == ""


def test_pydantics_problems_are_one_line_without_its_address():
    error = refused(width=0, layers=[1, "x"], widht=3)
    assert problems(error, Size.model_fields, "setting") == (
        "width: Input should be greater than or equal to 1; it is 0; "
        "layers.1: Input should be a valid integer, unable to parse string as an integer; it is 'x'; "
        "unknown setting 'widht', did you mean 'width'?"
    )
    assert one_line(refused(width=None)) == "width: Input should be a valid integer; it is None"
