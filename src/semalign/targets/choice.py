"""Choose the teacher layers that supervise each student layer (Section 4.1): by attribution, layer map or user."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from semalign.data.rows import Example, Row, batches
from semalign.files import json_fingerprint
from semalign.models.head_outputs import HEADS, check_heads
from semalign.models.identity import computed_by
from semalign.models.kept import computed_once
from semalign.models.pair import Pair
from semalign.paths import cache_dir
from semalign.settings import TransferSettings
from semalign.targets.attribution import attribute_units
from semalign.targets.pairing import LayerMap, interpolation
from semalign.targets.passes import Mixture

logger = logging.getLogger(__name__)
ATTRIBUTION_BATCH = 8  # rows in one forward and backward pass


class LayerPair(NamedTuple):
    """The teacher layers with their weights, and the student layer that they supervise."""

    teacher: Mixture
    student: int

    def as_json(self) -> list:
        """Return ``[[[teacher layer, weight], ...], student layer]``, for a record."""
        return [[list(part) for part in self.teacher], self.student]


class Choice(NamedTuple):
    """The chosen layer pairs, shallow to deep, and the teacher's attribution scores if they determined the choice."""

    pairs: list[LayerPair]
    attribution: list[float] | None = None


def layer_map(pair: Pair, settings: TransferSettings) -> LayerMap:
    """Return the layer map of a pair of models, with the overrides of the settings.

    Raises:
        ValueError: if an override names a layer that does not exist.
    """
    n_teacher, n_student = pair.teacher_outline.n_layers, pair.student_outline.n_layers
    return LayerMap(n_teacher, n_student, settings.layer_map)


def check_layers(pair: Pair, settings: TransferSettings) -> None:
    """Check that all layers and heads that the settings ask for exist; raise ``ValueError`` otherwise."""
    if settings.interface == HEADS:
        check_heads(pair.teacher_outline, pair.student_outline)
    if settings.interpolate and pair.teacher_outline.n_layers < 2:
        raise ValueError("interpolation needs a teacher of at least two layers: leave out interpolate")
    wanted = {
        "teacher": (pair.teacher_outline, [settings.teacher_layer]),
        "student": (pair.student_outline, [settings.student_layer, *(settings.student_layers or ())]),
    }
    for model, (architecture, layers) in wanted.items():
        if wrong := [k for k in layers if k is not None and k > architecture.n_layers]:
            raise ValueError(f"{model} layer {wrong[0]} does not exist: layers are 1..{architecture.n_layers}")
    layer_map(pair, settings)


def choose_layers(pair: Pair, settings: TransferSettings, rows: Sequence[Row]) -> Choice:
    """Return the layer pairs that the settings ask for.

    - ``student_layers``: the layer map gives each of them a teacher layer.
    - ``student_layer``: it is paired with ``teacher_layer`` or, without one, by the layer map.
    - ``teacher_layer`` alone: it is the critical layer, and the layer map gives its student layer.
    - none of them: the critical layer is the teacher layer with the largest attribution on the first rows.
    """
    mapped, scores = layer_map(pair, settings), None
    if settings.student_layers:
        chosen = [(mapped[k], k) for k in sorted(set(settings.student_layers))]
    elif settings.student_layer is not None:
        chosen = [(settings.teacher_layer or mapped[settings.student_layer], settings.student_layer)]
    else:
        critical = settings.teacher_layer
        if critical is None:
            scores = attribution(pair, settings, rows)
            critical = 1 + max(range(len(scores)), key=scores.__getitem__)
        chosen = [mapped.pair(critical)]
    pairs = [paired(pair, settings, layer, k) for layer, k in chosen]
    for each in pairs:
        logger.info("teacher layers %s supervise student layer %d", each.teacher, each.student)
    return Choice(pairs, scores)


def paired(pair: Pair, settings: TransferSettings, layer: int, k: int) -> LayerPair:
    """Return the pair of ``layer`` and student layer ``k``; with ``interpolate``, two teacher layers at k's depth."""
    if not settings.interpolate:
        return LayerPair([(layer, 1.0)], k)
    a, b, lam = interpolation(k, pair.teacher_outline.n_layers, pair.student_outline.n_layers)
    return LayerPair([(number, weight) for number, weight in ((a, 1 - lam), (b, lam)) if weight > 0], k)


def attribution(pair: Pair, settings: TransferSettings, rows: Sequence[Row]) -> list[float]:
    """Return the teacher's attribution scores on the first rows, for layers 1 to L_T.

    They are kept in the cache folder, where another run with the same teacher and rows finds them.
    """
    examples = pair.encode(rows[: settings.attribution_examples]).teacher
    seen = [[example.input_ids, example.prompt_length] for example in examples]
    made_by = [pair.fingerprints["teacher"], computed_by(pair.teacher_outline.model)]
    key = json_fingerprint([*made_by, seen, _attributed_at(settings), settings.attribution_method])
    found = computed_once(cache_dir() / "attribution" / f"{key}.json", lambda: _scores(pair, settings, examples))
    return found[settings.attribution]


def _scores(pair: Pair, settings: TransferSettings, examples: Sequence[Example]) -> dict[str, list[float]]:
    """Return the scores of all layers by aggregation; the score of a layer is that of its best unit."""
    rows, at = batches(examples, ATTRIBUTION_BATCH), _attributed_at(settings)
    found = attribute_units(pair.teacher, rows, at, method=settings.attribution_method)
    return {aggregation: units.amax(1).tolist() for aggregation, units in found.items()}


def _attributed_at(settings: TransferSettings) -> str:
    return settings.attribution_interface or settings.interface
