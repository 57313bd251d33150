"""The kinds of values that the keys of a task file have; what they must be beyond that is checked afterwards."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, ValidationError

from semalign.data.chat import ChatName
from semalign.data.task_yaml import Function
from semalign.errors import problems

Call = InstanceOf[Function]
Count = Annotated[int, Field(ge=1)]


class Shape(BaseModel):
    """Some of the keys of a mapping; there may be others."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, strict=True)


class Metric(Shape):
    """An entry of ``metric_list``."""

    metric: str | Call
    aggregation: str | Call | None = None


class Step(Shape):
    """One function of an extraction, with its arguments."""

    function: str
    filter_fn: Call | None = None


class Filter(Shape):
    """An entry of ``filter_list``: a way to extract the answer."""

    name: str
    filter: Annotated[list[Step], Field(min_length=1)]


class Generation(Shape):
    """How answers are generated."""

    do_sample: bool = False
    max_gen_toks: Count = 1
    until: list[str] | str | None = None


class Training(Shape):
    """Where training rows come from, if not from the task's own training split; there are no other keys."""

    model_config = ConfigDict(extra="forbid", strict=True)

    splits: Annotated[list[str], Field(min_length=1)] = ["train"]
    dataset: str = ""


class Metadata(Shape):
    """What a task file says beyond lm-eval's own keys."""

    chat: ChatName = "plain"
    seed: int = 0
    group_by: str = ""
    columns: dict[str, str] = {}
    training: Training = Training()


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
    doc_to_target: str | int | list[str] | list[int] | Call
    doc_to_choice: str | list[str] | dict[str, str] | Call | None = None
    description: str | Call = ""
    process_results: Call | None = None
    process_docs: Call | None = None
    gen_prefix: str | Call | None = None
    target_delimiter: str = " "
    fewshot_delimiter: str = ""
    metric_list: Annotated[list[Metric], Field(min_length=1)]
    filter_list: Annotated[list[Filter], Field(min_length=1)] | None = None
    generation_kwargs: Generation | None = None
    repeats: Count = 1
    metadata: Metadata


def check_shapes(content: Mapping[str, Any]) -> None:
    """Check the kinds of values of a task file; raise ``ValueError`` with all that are wrong, in one line."""
    try:
        Task.model_validate(dict(content))
    except ValidationError as error:
        raise ValueError(problems(error)) from None
