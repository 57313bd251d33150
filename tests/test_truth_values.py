"""Truth values are refused where numbers are asked for, however deep, and taken where they stay truth values."""

from enum import IntEnum
from fractions import Fraction
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import torch
from pydantic import BaseModel, Field

from semalign.truth_values import check_numbers

RATE = Annotated[float, Field(ge=0)]


class Level(IntEnum):
    LOW = 0
    HIGH = 1


class Part(BaseModel):
    flag: bool


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, True),
        (float | None, True),
        (dict[int, int], {True: 2, 3: 4}),
        (dict[int, int], {3: True}),
        (tuple[int, ...], [2, True]),
        (tuple[int, ...], {True}),
        (tuple[int, ...], {True: 1}.keys()),
        (tuple[int, ...], np.array([True])),
        (list[tuple[int, ...]] | None, [(1, 2), (3, True)]),
        (dict[str, RATE], {"a": 0.5, "b": True}),
        (Level, True),
        (Literal[0, 1], True),
        (Fraction | str, True),
        (int, np.True_),
        (int, torch.tensor(True)),
    ],
)
def test_a_truth_value_is_no_number(annotation, value):
    with pytest.raises(ValueError, match=r"^it is .*true.*; give a value, not true or false$"):
        check_numbers(annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (bool, True),
        (int | bool, True),
        (bool | None, True),
        (str, True),  # pydantic refuses it
        (dict[str, bool], {"a": True}),
        (dict[str, Any], {"use_rslora": True, "layers": [1]}),
        (dict[str, int | Any], {"a": [True]}),
        (int | dict, {"a": True}),
        (int | Part, {"flag": True}),
        (Any, [True]),
        (Literal[True, 2], True),
        (list[tuple[int, ...]], [[1], [0, 1]]),
        (int, np.int64(1)),
    ],
)
def test_a_truth_value_is_taken_where_it_stays_one(annotation, value):
    check_numbers(annotation, value)


def test_a_list_that_holds_itself_is_read_once():
    circle: list[Any] = []
    circle.append(circle)
    check_numbers(list[int], circle)
    circle.append(False)
    with pytest.raises(ValueError, match=r"^it is false; give"):
        check_numbers(list[int], circle)
