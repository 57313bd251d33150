"""The paper's schedule: the paired student layer is trained, or several at once if the settings name several."""

from functools import partial
from typing import Any

from semalign.models.architecture import Architecture
from semalign.models.parking import parked
from semalign.paths import cache_dir
from semalign.settings import TransferSettings
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import Choice, choose_layers
from semalign.targets.supervision import Supervision
from semalign.training.adaptation import Adapted, Inputs, trainable
from semalign.training.lora import add_lora
from semalign.training.objective import Objective
from semalign.training.output_terms import OUTPUT_TERMS
from semalign.training.schedules import schedule
from semalign.training.steering import Steering


@schedule("one_layer")
def steer(inputs: Inputs) -> Adapted:
    """Attribute, pair, align and steer (Sections 4.1 to 4.3)."""
    settings: TransferSettings = inputs.settings
    needs_logits = OUTPUT_TERMS[settings.output_loss].needs_teacher
    builder = TargetBuilder(inputs.pair, settings, teacher_logits=needs_logits, rows=inputs.rows)
    vocabulary = builder.heads.vocabulary(inputs.rows)
    choice = choose_layers(inputs.pair, settings, inputs.rows)
    states = cache_dir() / "states"
    signals, of_held_out = (
        builder.signals(rows, choice.pairs, states) if rows else None for rows in (inputs.rows, inputs.held_out)
    )
    inputs.pair.teacher_source.release()
    supervision = builder.supervision(inputs.rows, choice.pairs, states, signals=signals)
    held_out = None
    if of_held_out is not None:
        same: dict[str, Any] = {"signals": of_held_out, "fitted": supervision.layers}
        held_out = builder.supervision(inputs.held_out, choice.pairs, states, **same)
    del builder  # and its bases
    adapted = add_lora(inputs.pair.student.model, supervision.trained, settings)
    objective = Objective(Architecture(adapted), supervision, settings)
    identity = inputs.identity([pair.as_json() for pair in choice.pairs])
    # What is watched may need the whole student.
    idle = [] if inputs.watch else [objective.student, inputs.pair.student_architecture]
    measure = dict if held_out is None else partial(objective.measure, held_out)
    with parked(idle, supervision.trained[0]):
        before = measure()
        losses = Steering(objective, inputs.checkpoint(), identity).run(inputs.watcher(adapted, measure))
        after = measure()
    return Adapted(
        adapted,
        losses,
        {**_layer_details(choice, supervision), "adapter_parameters": trainable(adapted), "vocabulary": vocabulary},
        before,
        after,
    )


def _layer_details(choice: Choice, supervision: Supervision) -> dict[str, Any]:
    """Return the details of the layer pair, or of several pairs, for the run record."""
    shares = [layer.mean_direction_share() for layer in supervision.layers]
    if len(choice.pairs) > 1:
        return {"pairs": [pair.as_json() for pair in choice.pairs], "mean_direction_shares": shares}
    teacher_layers, k = choice.pairs[0].as_json()
    return {
        "teacher_layers": teacher_layers,
        "student_layer": k,
        "attribution": choice.attribution,
        "mean_direction_share": shares[0],
    }
