"""Items of an evaluation, from lm-eval's logged samples: prompt, generation, extracted answer and scores."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.task import ConfigurableTask

from semalign.data.task_check import Primary
from semalign.models.finite import NotFiniteError
from semalign.results.statistics import bootstrap_interval, wilson_interval

# lm-eval's metrics that choose the likeliest answer for its length, in characters or bytes; others, the likeliest.
LENGTHS: dict[str, Callable[[str], int]] = {"acc_norm": len, "acc_bytes": lambda choice: len(choice.encode())}


def item_samples(task: ConfigurableTask, logged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one dict for each item; lm-eval logs one for each item and extraction; ``ValueError`` for NaN."""
    metric, extraction = Primary.of(task.config.metadata)
    scores: dict[int, dict[str, float]] = defaultdict(dict)
    for sample in logged:
        scores[sample["doc_id"]] |= {f"{key},{sample['filter']}": _number(sample, key) for key in sample["metrics"]}
    return [
        {**_sample(task, sample, metric), "scores": scores[sample["doc_id"]]}
        for sample in logged
        if sample["filter"] == extraction
    ]


def _sample(task: ConfigurableTask, logged: dict[str, Any], metric: str) -> dict[str, Any]:
    sample = {"doc_id": logged["doc_id"], "prompt": logged["arguments"][0][0], "target": logged["target"]}
    if group := task.config.metadata.get("group_by"):
        sample["group"] = logged["doc"][group]
    if task.OUTPUT_TYPE == "multiple_choice":
        likelihoods = [value for value, _ in logged["filtered_resps"]]
        if any(map(math.isnan, likelihoods)):  # the largest of them would be the first
            raise NotFiniteError(f"item {logged['doc_id']}: the model's log-likelihoods are NaN: use a wider dtype")
        length = LENGTHS.get(metric, lambda choice: 1)
        choices = task.doc_to_choice(logged["doc"])
        values = [value / length(choice) for value, choice in zip(likelihoods, choices, strict=True)]
        return {
            **sample,
            "choice": values.index(max(values)),
            "log_likelihoods": likelihoods,
            "correct": _flag(logged, metric),
        }
    generations, extracted = logged["resps"][0], logged["filtered_resps"][0]
    if len(generations) > 1:
        return {**sample, "generation": generations, "extracted": extracted, "correct": _number(logged, metric)}
    first = extracted[0] if isinstance(extracted, list) else extracted
    return {**sample, "generation": generations[0], "extracted": first, "correct": _flag(logged, metric)}


def _number(logged: dict[str, Any], metric: str) -> float:
    """Return a score of an item; ``process_results`` and metrics of a user's own may give anything."""
    try:
        return float(logged[metric])
    except (TypeError, ValueError):
        raise ValueError(
            f"item {logged['doc_id']}: {metric} must be one number, it is {logged[metric]!r:.60}"
        ) from None


def _flag(logged: dict[str, Any], metric: str) -> bool | float:
    """Return whether an item is right, or its share of the points where it has some of them."""
    value = _number(logged, metric)
    return bool(value) if value in (0, 1) else value


def scores_of(task: ConfigurableTask, found: dict[str, Any], samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of an evaluation that are scores, 0-100.

    Args:
        task: the task that was scored.
        found: lm-eval's results, 0-1, by metric and extraction, with further keys of its own.
        samples: see :func:`item_samples`.

    Returns:
        ``value``, ``low`` and ``high`` of the primary metric, all ``scores``, and the means of ``groups``.
    """
    primary = Primary.of(task.config.metadata)
    scores = {key: 100 * float(value) for key, value in found.items() if key in _metrics(task)}
    groups = group_means(samples)
    if groups:
        scores[f"{primary.metric}_macro,{primary.extraction}"] = sum(groups.values()) / len(groups)
    low, high = interval([sample["correct"] for sample in samples])
    return {
        "value": scores[",".join(primary)],
        "low": 100 * low,
        "high": 100 * high,
        "scores": scores,
        "groups": groups,
    }


def _metrics(task: ConfigurableTask) -> set[str]:
    return {f"{metric},{ensemble.name}" for metric in task.aggregation() for ensemble in task._filters}


def group_means(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean of each group, 0-100, in the order of the items; empty if the task has no groups."""
    members: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        if "group" in sample:
            members[sample["group"]].append(100 * float(sample["correct"]))
    return {group: sum(values) / len(values) for group, values in members.items()}


def interval(correct: Sequence[bool | float]) -> tuple[float, float]:
    """Return the 95% interval of a mean, 0-1: Wilson's for items that are right or wrong, the bootstrap's for shares.

    If all shares are 0, or all are 1, resampling finds no spread; the interval is then Wilson's too.
    """
    if set(correct) in ({0}, {1}) or all(isinstance(each, bool) for each in correct):
        return wilson_interval(round(sum(correct)), len(correct))
    return bootstrap_interval(correct)[1:]
