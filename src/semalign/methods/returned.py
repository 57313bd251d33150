"""What a method returned, checked before it is measured and saved; a method of the user's own may return anything."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from peft import PeftModel
from transformers import PreTrainedModel

from semalign.errors import folded, one_line
from semalign.methods.details import recordable
from semalign.methods.registry import Method
from semalign.models.identity import model_identity
from semalign.registry import placed
from semalign.training.adaptation import Adapted, Inputs

logger = logging.getLogger(__name__)


def checked(method: Method, inputs: Inputs, adapted: Any) -> Adapted:
    """Return what a method returned, with losses and measurements as numbers.

    Details that no record can hold are left out with a warning, so that a long training is saved all the same.

    Args:
        method: the method.
        inputs: what it received.
        adapted: what its ``adapt`` returned.

    Raises:
        ValueError: if that cannot be measured or recorded, or the student is not as it was.
    """
    said = f"method {method.name!r}"
    if not isinstance(adapted, Adapted):
        raise ValueError(f"{said} must return Adapted(model, losses); it returned a {type(adapted).__name__}")
    if not isinstance(adapted.model, PreTrainedModel | PeftModel):
        raise ValueError(
            f"{said} must return a model of transformers or PEFT in Adapted, not a {type(adapted.model).__name__}"
        )
    module = getattr(placed(method.adapt), "__module__", None)
    if not str(module).startswith("semalign."):  # for those of this package there are tests
        _check_unchanged(said, inputs)
    before, after = _numbers(f"{said}: before", adapted.before), _numbers(f"{said}: after", adapted.after)
    if before.keys() != after.keys():
        raise ValueError(f"{said}: before and after must measure the same; they have {_keys([before, after])}")
    losses = _losses(said, inputs.settings, adapted.losses)
    details = _details(said, adapted.details, _entries(said, before, after) if inputs.held_out else ())
    return replace(adapted, losses=losses, details=details, before=before, after=after)


def _check_unchanged(said: str, inputs: Inputs) -> None:
    """Compare a student in memory with what it was; one that is not in memory is read from its files when needed."""
    source = inputs.pair.student_source
    student = source.in_memory
    if student is None or source.spread or model_identity(student) == inputs.pair.fingerprints["student"]:
        return
    source.release()
    raise ValueError(
        f"{said} has changed the student itself, and its result is compared with the student as it was: change a copy, "
        "such as add_lora of semalign.training.lora returns, or deepcopy(inputs.pair.student.model)"
    )


def _losses(said: str, settings: Any, losses: Any) -> list[dict[str, float]]:
    if not isinstance(losses, list | tuple) or not losses:
        raise ValueError(f"{said} returned no losses: it must return a list with the terms of each step, as a dict")
    found = [_numbers(f"{said}: the losses of step {step}", terms) for step, terms in enumerate(losses, start=1)]
    for step, terms in enumerate(found, start=1):
        if terms.keys() != found[0].keys():
            raise ValueError(f"{said}: step {step} has other losses than step 1: {_keys([terms, found[0]])}")
    try:
        settings.objective(found[-1])
    except Exception as error:  # settings may be a class of the user's own
        what = f"{type(settings).__name__}.objective cannot add up the losses {_keys(found[:1])}"
        raise ValueError(f"{said}: {what}: {one_line(error)}") from error
    return found


def _numbers(said: str, given: Any) -> dict[str, float]:
    try:
        # A record holds Unicode alone.
        return {str(name).encode(errors="backslashreplace").decode(): float(value) for name, value in given.items()}
    except Exception as error:  # of whatever it is instead
        raise ValueError(f"{said} must be a dict of numbers; they are {folded(repr(given), 60)}") from error


def _keys(terms: Sequence[Mapping[str, float]]) -> str:
    return " and ".join(f"({', '.join(each)})" for each in terms)


def _entries(said: str, before: Mapping[str, float], after: Mapping[str, float]) -> Collection[str]:
    """Return the names of the measurements that are details of their own too."""
    pairs = {name: {"before": before[name], "after": after[name]} for name in before if name != "response_nll"}
    found = recordable(pairs)
    if others := [name for name in pairs if name not in found]:
        logger.warning(
            "%s: what it measured as %s stands under before and after alone: records use the name in another form",
            said,
            ", ".join(others),
        )
    return found.keys()


def _details(said: str, details: Any, measured: Collection[str]) -> dict[str, Any]:
    """Return those details that a record can hold beside what was measured."""
    given = dict(details) if isinstance(details, Mapping) else {"details": details}
    kept = recordable({name: value for name, value in given.items() if name not in measured})
    if left_out := [str(name) for name in given if name not in kept]:
        logger.warning(
            "%s: its details %s are left out of the record: give numbers, texts, lists and dicts, under names that no "
            "record uses itself",
            said,
            ", ".join(left_out),
        )
    return kept
