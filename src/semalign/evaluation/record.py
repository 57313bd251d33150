"""The run record of a score."""

from collections.abc import Mapping
from typing import Any

from semalign.data.task_file import TaskFile
from semalign.data.tasks import split_fingerprint
from semalign.evaluation.engines import engine_identity
from semalign.evaluation.run import Evaluation
from semalign.evaluation.vllm_engine import VllmModel
from semalign.models.loading import LanguageModel
from semalign.results.records import NONE, make_record

EXAMPLES = 3  # items, the first of the split, whose answers a record keeps to be read


def score_record(model: LanguageModel | VllmModel, score: Evaluation, limit: int | None = None) -> dict[str, Any]:
    """Return the record of a score; ``details`` keeps which items were right, in order, for paired comparisons."""
    fingerprints, configuration = scored(model, score.source, score.split, limit, score.chat)
    return make_record(
        method=NONE,
        teacher=None,
        student=model.name,
        task=score.task,
        seed=None,
        metric=score.metric,
        value=score.value,
        n=score.n,
        interval=(score.low, score.high),
        configuration={**configuration, "sandbox": score.sandbox, "decoding": score.decoding},
        fingerprints=fingerprints,
        seconds=score.seconds,
        details={
            "scores": score.scores,
            "correct": _correct(score),
            "examples": [_example(sample) for sample in score.samples[:EXAMPLES]],
            "groups": score.groups,
            "evaluation_seconds": score.seconds,
        },
    )


def scored(
    model: LanguageModel | VllmModel, source: TaskFile, split: str, limit: int | None, chat: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the fingerprints and settings that the record of a score has, as far as they are known beforehand."""
    task = source.name if source.bundled else source.path
    fingerprints = {"student": engine_identity(model)["model"], "test": split_fingerprint(task, split)}
    settings = {"split": split, "limit": limit, "chat": chat, "task_version": source.version}
    return fingerprints, {**settings, **engine_configuration(model), **source.own_file}


def engine_configuration(model: LanguageModel | VllmModel) -> dict[str, Any]:
    """Return what a record says of the engine: its name, and for vLLM the adapter's hash and the options."""
    if not isinstance(model, VllmModel):
        return {"engine": "transformers"}
    return {"engine": "vllm", "vllm": {key: value for key, value in model.identity().items() if key != "model"}}


def _example(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return prompt and first answer of an item; of a question with choices the answer is the number of the choice."""
    answer = sample["choice"] if "choice" in sample else sample["generation"]
    first = answer[0] if isinstance(answer, list) else answer
    return {"prompt": sample["prompt"], "answer": first, "correct": sample["correct"]}


def _correct(score: Evaluation) -> str | list[float]:
    """Return one digit for each item, or the list of their shares where there are some."""
    correct = [sample["correct"] for sample in score.samples]
    if all(isinstance(each, bool) for each in correct):
        return "".join(str(int(each)) for each in correct)
    return list(map(float, correct))
