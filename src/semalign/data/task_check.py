"""What a task file from outside this package must say, checked before anything long starts."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from semalign.data.columns import check_kind
from semalign.data.task_items import FIELDS
from semalign.data.task_shapes import check_shapes
from semalign.data.task_templates import check_template, is_template
from semalign.data.task_yaml import Function, with_functions
from semalign.errors import nearest

FILES = ("json", "csv", "parquet")  # lm-eval's names for data in files, in place of a data set's
OUTPUTS = ("generate_until", "multiple_choice")
REQUIRED = ("dataset_path", "test_split", "doc_to_text", "doc_to_target", "metric_list", "metadata")
# The first lead to code that no !function names, the others are not used here.
REFUSED = ("class", "group", "use_prompt", "unsafe_code", "doc_to_image", "doc_to_audio")
GENERATION = ("do_sample", "max_gen_toks")
BEAMS = ("num_beams", "num_beam_groups", "num_return_sequences", "penalty_alpha")
# Of lm-eval's metrics those that give each item one number; others, such as bleu, are of all items together.
OF_ITEMS = ("acc", "acc_norm", "acc_bytes", "exact_match")
AGGREGATIONS = ("mean", "nanmean", "median", "perplexity")  # lm-eval's others are not of one number for each item


class Primary(NamedTuple):
    """The metric and the extraction that make the score of a task."""

    metric: str
    extraction: str

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "Primary":
        """Return those of a task's ``metadata``; the name of an extraction may have commas."""
        metric, _, extraction = str(metadata["primary"]).partition(",")
        return cls(metric, extraction)


def check_task(content: Mapping[str, Any], folder: Path) -> None:
    """Make sure that the content of a task file is complete and that its functions can be imported.

    A task file has lm-eval's form and in its ``metadata`` two more keys: ``version``, a number, and ``primary``, the
    metric and the extraction that make the score, a mean over items (``exact_match,strict``). Optional are ``chat`` (a
    chat format), ``seed`` (required if answers are sampled), ``group_by`` (a column), ``columns`` (what each column of
    the data holds; see :func:`semalign.data.columns.check_columns`) and ``training``; see
    :mod:`semalign.data.training_rows`.

    Args:
        content: the content of the YAML.
        folder: its folder; paths of its data are relative to it.

    Raises:
        ValueError: for what is wrong first, in one line.
    """
    _check_keys(content)
    check_shapes(content)
    with_functions(content)
    _check_metadata(content["metadata"])
    _check_templates(content)
    _check_scores(content)
    if content.get("output_type", OUTPUTS[0]) == "generate_until":
        _check_generation(content)
    elif "doc_to_choice" not in content:
        raise ValueError("multiple_choice needs doc_to_choice")
    if content["dataset_path"] in FILES:
        _check_files(content, folder)


def _check_keys(content: Mapping[str, Any]) -> None:
    from lm_eval.config.task import TaskConfig

    if refused := [key for key in REFUSED if key in content]:
        raise ValueError(f"{refused[0]} is not supported")
    known = [field.name for field in dataclasses.fields(TaskConfig)]
    for key in content:
        if key not in known:
            raise ValueError(f"unknown key {key!r}{nearest(key, known)}")
    if missing := [key for key in REQUIRED if content.get(key) is None]:
        raise ValueError(f"it has no {missing[0]}")
    if content.get("num_fewshot"):
        raise ValueError("num_fewshot is not supported: prompts are zero-shot")
    if content.get("output_type", OUTPUTS[0]) not in OUTPUTS:
        raise ValueError(f"output_type must be one of {', '.join(OUTPUTS)}; it is {content['output_type']!r}")


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, Mapping):
        raise ValueError("metadata must hold keys and values")
    if missing := [key for key in ("version", "primary") if key not in metadata]:
        raise ValueError(f"it has no metadata.{missing[0]}")
    if isinstance(metadata["version"], bool) or not isinstance(metadata["version"], int | float):
        raise ValueError("metadata.version must be a number")
    for column, kind in metadata.get("columns", {}).items():
        check_kind(column, kind.removesuffix("?"))


def _check_templates(content: Mapping[str, Any]) -> None:
    for field in FIELDS:
        if isinstance(text := content.get(field), str) and is_template(text):
            try:
                check_template(text)
            except ValueError as error:
                raise ValueError(f"{field}: {error}") from error


def _check_scores(content: Mapping[str, Any]) -> None:
    metrics = [_name(entry["metric"]) for entry in content["metric_list"]]
    extractions = [entry["name"] for entry in content.get("filter_list") or [{"name": "none"}]]
    primary = Primary.of(content["metadata"])
    if primary.metric not in metrics or primary.extraction not in extractions:
        raise ValueError(
            f"metadata.primary must be METRIC,EXTRACTION with a metric of {', '.join(metrics)} and "
            f"an extraction of {', '.join(extractions)}; it is {content['metadata']['primary']!r}"
        )
    for entry in content["metric_list"]:
        _check_metric(entry, own="process_results" in content)
        _check_aggregation(entry, primary.metric)
    for entry in content.get("filter_list") or []:
        _check_extraction(entry)


def _check_extraction(entry: Mapping[str, Any]) -> None:
    """Refuse an extraction that lm-eval cannot build: an unknown function, a pattern that is none, a wrong argument."""
    from lm_eval.filters import build_filter_ensemble

    try:
        steps = [(step["function"], {key: step[key] for key in step if key != "function"}) for step in entry["filter"]]
        for make in build_filter_ensemble(entry["name"], steps).filters:
            make()
    except Exception as error:  # each filter checks its arguments in its own way, or not at all
        raise ValueError(f"lm-eval cannot make the extraction {entry['name']!r}: {error!r}") from error


def _name(metric: str | Function) -> str:
    return metric.name.rpartition(".")[2] if isinstance(metric, Function) else metric


def _check_metric(entry: Mapping[str, Any], own: bool) -> None:
    """Refuse a metric that lm-eval would look for on the hub, since it would run what it finds there.

    Args:
        entry: of ``metric_list``.
        own: whether the task's ``process_results`` gives the metric.
    """
    import lm_eval.api.metrics  # noqa: F401, it fills the registry
    from lm_eval.api.registry import metric_registry

    metric = entry["metric"]
    of_lm_eval = isinstance(metric, str) and not own
    if entry.get("hf_evaluate") or (of_lm_eval and metric not in metric_registry):
        raise ValueError(f"lm-eval has no metric {metric!r}: give a !function, or process_results")
    if of_lm_eval and metric not in OF_ITEMS:
        raise ValueError(f"metric {metric!r} is not supported: choose from {', '.join(OF_ITEMS)}, or give a !function")


def _check_aggregation(entry: Mapping[str, Any], primary: str) -> None:
    """Refuse an aggregation that lm-eval cannot make of the items' scores, or that makes another score than their mean.

    The interval of a score, and what is compared between methods, are of the mean over items.
    """
    metric, aggregation = _name(entry["metric"]), entry.get("aggregation")
    if metric == primary and aggregation != "mean":
        said = f"!function {aggregation.name}" if isinstance(aggregation, Function) else repr(aggregation)
        raise ValueError(f"metric {metric!r} makes the score, and so needs the aggregation mean; it is {said}")
    if not isinstance(aggregation, Function) and aggregation not in AGGREGATIONS:
        known = ", ".join(AGGREGATIONS)
        raise ValueError(f"metric {metric!r} needs an aggregation of {known}, or a !function; it is {aggregation!r}")


def _check_generation(content: Mapping[str, Any]) -> None:
    settings = content.get("generation_kwargs") or {}
    if missing := [key for key in GENERATION if key not in settings]:
        raise ValueError(f"it has no generation_kwargs.{missing[0]}")
    if refused := [key for key in BEAMS if settings.get(key) not in (None, 1)]:
        raise ValueError(f"generation_kwargs.{refused[0]} is not supported: answers are greedy or sampled")
    if settings["do_sample"] and "seed" not in content["metadata"]:
        raise ValueError("it has no metadata.seed, which sampled answers need")


def _check_files(content: Mapping[str, Any], folder: Path) -> None:
    files = (content.get("dataset_kwargs") or {}).get("data_files")
    if not isinstance(files, Mapping) or not all(isinstance(file, str) for file in files.values()):
        raise ValueError("dataset_kwargs.data_files must name one JSON, CSV or Parquet file for each split")
    if content["test_split"] not in files:
        raise ValueError(f"data_files has no {content['test_split']!r}, the test split")
    if missing := [file for file in files.values() if not (folder / file).is_file()]:
        raise ValueError(f"there is no {folder / missing[0]}")
