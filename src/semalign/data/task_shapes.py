"""The kinds of values that the keys of a task file have; what they must be beyond that is checked afterwards."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, InstanceOf, ValidationError

from semalign.data.task_yaml import Function
from semalign.errors import problems

Call = InstanceOf[Function]


class Shape(BaseModel):
    """Some of the keys of a mapping; there may be others."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class Metric(Shape):
    """An entry of ``metric_list``."""

    metric: str | Call
    aggregation: str | Call | None = None


class Filter(Shape):
    """An entry of ``filter_list``: a way to extract the answer."""

    name: str
    filter: list[dict[str, Any]] | None = None


class Generation(Shape):
    """How answers are generated."""

    do_sample: bool = False
    max_gen_toks: int = 1
    until: list[str] | str | None = None


class Task(Shape):
    """The content of a task file."""

    dataset_path: str
    dataset_name: str | None = None
    dataset_kwargs: dict[str, Any] | None = None
    training_split: str | None = None
    validation_split: str | None = None
    test_split: str
    output_type: str = "generate_until"
    doc_to_text: str | Call
    doc_to_target: str | int | list[Any] | Call
    doc_to_choice: str | list[Any] | Call | None = None
    process_results: str | Call | None = None
    process_docs: Call | None = None
    gen_prefix: str | None = None
    target_delimiter: str = " "
    metric_list: list[Metric]
    filter_list: list[Filter] | None = None
    generation_kwargs: Generation | None = None
    repeats: int = 1
    metadata: dict[str, Any]


def check_shapes(content: Mapping[str, Any]) -> None:
    """Check the kinds of values of a task file; raise ``ValueError`` with all that are wrong, in one line."""
    try:
        Task.model_validate(dict(content))
    except ValidationError as error:
        raise ValueError(problems(error)) from None
