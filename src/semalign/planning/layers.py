"""The layers that a transfer takes, as far as its settings say; before attribution, the worst case."""

from semalign.planning.setup import Setup
from semalign.settings import TransferSettings
from semalign.targets.choice import LayerPair
from semalign.targets.pairing import LayerMap, interpolation
from semalign.targets.passes import Mixture
from semalign.training.schedules import SCHEDULES


def attributes(settings: TransferSettings) -> bool:
    """Return whether the layers are found by attribution, so that they are not known before it."""
    named = settings.teacher_layer or settings.student_layer or settings.student_layers
    return not named and not SCHEDULES[settings.schedule].every_layer


def pairs_of(setup: Setup, settings: TransferSettings) -> list[LayerPair]:
    """Return the layer pairs of a transfer, shallow to deep, as :func:`semalign.targets.choice.choose_layers` does.

    A schedule that trains every layer has all pairs. Where attribution finds the pair, it is the worst case: the last
    teacher layer, mixed with the one before it if any layer is, and the first student layer.

    Raises:
        ValueError: if the settings name a layer that does not exist, or interpolate a teacher of one layer.
    """
    mapped = LayerMap(setup.teacher.layers, setup.student.layers, settings.layer_map)
    if attributes(settings):
        return [LayerPair(_last(setup, settings), 1)]
    if SCHEDULES[settings.schedule].every_layer:
        chosen = [(layer, k) for k, layer in mapped]
    elif settings.student_layers:
        chosen = [(mapped[k], k) for k in sorted(set(settings.student_layers))]
    elif settings.student_layer is not None:
        chosen = [(settings.teacher_layer or mapped[settings.student_layer], settings.student_layer)]
    else:
        chosen = [mapped.pair(settings.teacher_layer or setup.teacher.layers)]
    return [LayerPair(_mixture(setup, settings, layer, k), k) for layer, k in chosen]


def deepest(mixture: Mixture) -> int:
    """Return the deepest layer of a mixture, at which a forward pass stops."""
    return max(layer for layer, _ in mixture)


def _mixture(setup: Setup, settings: TransferSettings, layer: int, k: int) -> Mixture:
    if not settings.interpolate:
        return [(layer, 1.0)]
    a, b, lam = interpolation(k, setup.teacher.layers, setup.student.layers)
    return [(number, weight) for number, weight in ((a, 1 - lam), (b, lam)) if weight > 0]


def _last(setup: Setup, settings: TransferSettings) -> Mixture:
    last = setup.teacher.layers
    mixtures = [_mixture(setup, settings, last, k) for k in range(1, setup.student.layers + 1)]
    return [(last - 1, 0.5), (last, 0.5)] if any(len(each) > 1 for each in mixtures) else [(last, 1.0)]
