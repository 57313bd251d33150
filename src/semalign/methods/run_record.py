"""The record of a run: what is known of it before the training, and what was measured after it."""

import math
from typing import Any

from peft import PeftModel

from semalign.data.task_file import task_name
from semalign.files import json_fingerprint
from semalign.methods.held_out import measured
from semalign.methods.registry import Method
from semalign.models.finite import NotFiniteError, damaged_weight
from semalign.models.pair import Pair
from semalign.models.precision import types_of
from semalign.models.remembered import Facts
from semalign.results.records import make_record
from semalign.training.adaptation import Adapted, Inputs
from semalign.training.weight_change import weight_change


def begun(method: Method, inputs: Inputs, task: str) -> dict[str, Any]:
    """Return the part of the run record that is known before the training, and that tells runs apart.

    Raises:
        ValueError: if no record can hold it, such as a name or a command line that is not Unicode.
    """
    pair, settings = inputs.pair, inputs.settings
    run = {
        "method": method.name,
        "teacher": pair.teacher_source.outline.name,
        "student": pair.student_source.outline.name,
        "task": task_name(task),
        "seed": settings.seed,
        "configuration": settings.model_dump(mode="json"),
        "fingerprints": {**pair.fingerprints, "data": json_fingerprint(inputs.rows)},
    }
    make_record(**run, metric="", value=None, n=0, seconds=0.0)
    return run


def finished(run: dict[str, Any], inputs: Inputs, adapted: Adapted, base: Facts, seconds: float) -> dict[str, Any]:
    """Return the run record, whose value is the held-out response NLL or, without held-out rows, the last loss.

    Args:
        run: the part that was known before.
        inputs: the inputs of the method, with the rows that it trained on.
        adapted: its result.
        base: identity and types of the model that a saved adapter is put on.
        seconds: duration of the run.

    Raises:
        NotFiniteError: if a weight of the adapted student is NaN or infinity.
    """
    found = measured(inputs, adapted)
    held_out = {"before": None, "after": None} if found is None else found.details
    on_base = {"base": base._asdict()} if isinstance(adapted.model, PeftModel) else {}
    training = {"steps": len(adapted.losses), "weight_change": _weight_change(inputs, adapted), **held_out, **on_base}
    return make_record(
        **run,
        metric="training_loss" if found is None else "response_nll",
        value=_last_loss(inputs, adapted) if found is None else found.after["response_nll"],
        n=len(inputs.held_out) or adapted.trained_on or len(inputs.rows),
        seconds=seconds,
        losses=adapted.losses,
        details={**adapted.details, "types": _types(inputs.pair, adapted), **training},
    )


def _weight_change(inputs: Inputs, adapted: Adapted) -> float | None:
    change = weight_change(adapted.model, lambda: inputs.pair.student.model)
    if change is not None and not math.isfinite(change):
        weight = damaged_weight(adapted.model) or "a weight"
        raise NotFiniteError(f"{weight} of the adapted student holds NaN or infinity: the training has diverged")
    return change


def _last_loss(inputs: Inputs, adapted: Adapted) -> float | None:
    value = inputs.settings.objective(adapted.losses[-1])
    return None if value is None else float(value)


def _types(pair: Pair, adapted: Adapted) -> dict[str, list[str]]:
    """Return the types of the models' weights and of the trained ones: a plain model is trained as a whole."""
    trained = (p for p in adapted.model.parameters() if p.requires_grad or not isinstance(adapted.model, PeftModel))
    models = {"teacher": pair.teacher_source.facts.types, "student": pair.student_source.facts.types}
    return {**models, "trained": types_of(trained)}
