"""LaTen, Locate-Then-Align (Tan et al., ACL 2025, "Neural Incompatibility"; Appendix B.2).

Neurons of teacher and student are *located* by static attribution on a few examples. A hypernetwork is *aligned* on a
few more examples: it learns to map the weights of teacher neurons to changes of student neurons. The changes are
*injected* once, and no training follows.

Where the published code and its description differ, this module follows the description:

- The code locates neurons again before every training step, each time on one example, which it then adds to the P
  examples of that step, and once more on another example before injection. Here neurons are located once, on all
  extract rows. The hypernetwork is trained on alignment rows only, and the neurons it was trained on are injected.
- The latest version of the code computes the changes during training but never writes them into the saved weights (an
  early version did). Here the result is a plain model with the changed weights.
- :mod:`semalign.methods.laten.neurons` describes the differences in the scores.

The learning rate follows the code: a one-cycle schedule with one step for each extract example, which ends after
``steps`` steps (Table 4 has fewer steps than extract examples). With more steps than extract examples, the cycle has
``steps`` steps. (The two earliest of the ten published versions of the code never advance the cycle; all later ones
do.) With grouped queries, the code transfers W_o but no values; :mod:`semalign.methods.laten.injection` describes what
is done here.
"""

import logging
from collections.abc import Sequence

import torch

from semalign.data.rows import Example
from semalign.methods.laten.gated import KINDS, check_gated
from semalign.methods.laten.hypernetwork import Alignment, Hypernetwork
from semalign.methods.laten.injection import choose, injected, replace_weights, sizes, teacher_vectors
from semalign.methods.laten.neurons import attribute_neurons
from semalign.methods.laten.settings import LatenSettings
from semalign.methods.laten.useful_tokens import Texts, useful_texts
from semalign.models.architecture import Architecture
from semalign.models.pair import Pair
from semalign.models.precision import wide_copy
from semalign.models.source import check_comparable
from semalign.training.adaptation import Adapted, Inputs

logger = logging.getLogger(__name__)


def adapt(inputs: Inputs) -> Adapted:
    """Transfer knowledge from a teacher to a student by LaTen.

    The first ``extract_size`` rows locate neurons and the next ``align_size`` rows train the hypernetwork; further rows
    are not used. If the steps need more alignment rows than there are, the rows are repeated in another order. The
    result is a plain model of the student's class with the changed weights, in float32 if the student is in half
    precision.

    Raises:
        FloatingPointError: if the loss becomes infinite or NaN.
    """
    pair, settings = inputs.pair, inputs.settings
    extract, align = _split(inputs.rows, settings)
    texts = useful_texts(extract, pair.teacher_source.outline), useful_texts(extract, pair.student_source.outline)
    aligned = pair.encode(align).student
    return _locate_and_align(pair, texts, aligned, settings)


def check_inputs(inputs: Inputs) -> None:
    """Make sure that the models and the rows can be used.

    Raises:
        ValueError: for a model that is not Llama-like, is quantised or spread by a device map, for too few rows, or for
            a row with nothing before the token to predict.
    """
    pair, n_rows, start = inputs.pair, len(inputs.rows), inputs.settings.extract_size
    if n_rows <= start:
        raise ValueError(f"{n_rows} rows leave none to train on after extract_size={start}: lower it or add rows")
    check_gated(pair.teacher_outline, "teacher")
    check_gated(pair.student_outline, "student")
    for source in (pair.teacher_source, pair.student_source):
        check_comparable(source)
        useful_texts(inputs.rows[:start], source.outline)


def _split(
    rows: Sequence[dict[str, str]], settings: LatenSettings
) -> tuple[Sequence[dict[str, str]], Sequence[dict[str, str]]]:
    """Return the rows that locate neurons and those that train the hypernetwork."""
    start, stop = settings.extract_size, settings.extract_size + settings.align_size
    if len(rows) < stop:
        logger.warning("%d rows to train on, not align_size=%d: they are repeated", len(rows) - start, stop - start)
    return rows[:start], rows[start:stop]


def _locate_and_align(
    pair: Pair,
    texts: tuple[Texts, Texts],
    aligned: Sequence[Example],
    settings: LatenSettings,
) -> Adapted:
    """Return the adapted student."""
    wanted = sizes(pair.teacher_outline, pair.student_outline, settings.neuron_share)
    large = pair.teacher_architecture
    scores = attribute_neurons(large, texts[0])
    given = choose(scores, wanted)
    of_teacher = teacher_vectors(large, given)
    del large
    pair.teacher_source.release()
    # The changes are about 1e-5 of a weight, which a half-precision weight cannot hold.
    changed = wide_copy(pair.student.model).eval()
    pair.student_source.release()
    small = Architecture(changed)
    taken = choose(attribute_neurons(small, texts[1]), wanted)
    vectors = {name: v.to(small.head_weight) for name, v in of_teacher.items()}
    hypernetwork = Hypernetwork(pair.teacher_outline.width, small.width, settings).to(
        small.device, small.head_weight.dtype
    )
    losses = Alignment(hypernetwork, vectors, small, taken, aligned, settings).run()
    with torch.no_grad():
        deltas = hypernetwork(vectors)
        replace_weights(changed, injected(small, taken, deltas))
    details = {
        "layers": {
            kind: [list(pair) for pair in zip(given[kind].layers, taken[kind].layers, strict=True)] for kind in KINDS
        },
        "teacher_layer_scores": {kind: scores[kind].layers.tolist() for kind in KINDS},
        "neurons_each_layer": {kind: taken[kind].neurons.shape[1] for kind in KINDS},
        "delta_rms": {name: delta.square().mean().sqrt().item() for name, delta in deltas.items()},
        "hypernetwork_parameters": sum(p.numel() for p in hypernetwork.parameters()),
    }
    return Adapted(changed, losses, details, trained_on=len(aligned))
