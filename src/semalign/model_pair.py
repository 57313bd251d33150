"""A teacher and a student: what a transfer asks of the two together before anything trains."""

import logging
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from semalign.alignment import alignment_map
from semalign.architecture import Architecture
from semalign.attribution import attribute_layers
from semalign.basis import SemanticBasis
from semalign.data import Example, Row, batches, encode
from semalign.files import model_fingerprint
from semalign.models import LanguageModel
from semalign.pairing import LayerMap, interpolation
from semalign.settings import TransferSettings
from semalign.supervision import Mixture, Supervision, entering_states, match_examples, teacher_states

logger = logging.getLogger(__name__)
ATTRIBUTION_BATCH = 8


class Pair:
    """A teacher and a student, whatever the method.

    Args:
        teacher: the larger model.
        student: the smaller model.

    Raises:
        ValueError: if an architecture is unknown.
    """

    def __init__(self, teacher: LanguageModel, student: LanguageModel) -> None:
        self.teacher, self.student = teacher, student
        self.teacher_architecture = Architecture(teacher.model)
        self.student_architecture = Architecture(student.model)
        self.fingerprints = {
            "teacher": model_fingerprint(teacher.model),
            "student": model_fingerprint(student.model),
        }

    def encode(self, rows: Sequence[Row]) -> tuple[list[Example], list[Example]]:
        """Return the student's and the teacher's encoding of rows; ``ValueError`` if one does not fit a context."""
        student, teacher = (
            encode(rows, model.tokenizer, model.model.config.get_text_config().max_position_embeddings)
            for model in (self.student, self.teacher)
        )
        return student, teacher


class ModelPair(Pair):
    """A teacher and a student under the settings of a transfer.

    Args:
        teacher: the larger model.
        student: the smaller model.
        settings: how the transfer is done.

    Raises:
        ValueError: if a layer of the settings does not exist or an architecture is unknown.
    """

    def __init__(self, teacher: LanguageModel, student: LanguageModel, settings: TransferSettings) -> None:
        super().__init__(teacher, student)
        self.settings = settings
        if settings.teacher_layer is not None:
            self.teacher_architecture.check_layer(settings.teacher_layer)
        if settings.student_layer is not None:
            self.student_architecture.check_layer(settings.student_layer)

    def alignment(self) -> Float[Tensor, "d_teacher d_student"]:
        """Return the alignment map M of the two output-side bases, on the student's device and in float32."""
        bases = [SemanticBasis.from_model(m, fold_norm=self.settings.fold_norm) for m in (self.teacher, self.student)]
        return alignment_map(*bases).to(self.student.model.device)

    def choose_layers(self, rows: Sequence[Row]) -> tuple[Mixture, int, list[float] | None]:
        """Return the teacher layers with their weights, the student layer k, and the attribution scores if any.

        Both layers given: that pair. Only the student's: its partner on the layer map. Only the teacher's: it counts
        as critical and is paired. None: the teacher layer of the largest attribution is critical.
        """
        chosen = self.settings
        layer_map = LayerMap(self.teacher_architecture.n_layers, self.student_architecture.n_layers)
        scores = None
        if chosen.student_layer is not None:
            k = chosen.student_layer
            layer = chosen.teacher_layer or layer_map[k]
        else:
            critical = chosen.teacher_layer
            if critical is None:
                scores = self.attribution(rows)
                critical = 1 + max(range(len(scores)), key=scores.__getitem__)
            layer, k = layer_map.pair(critical)
        mixture: Mixture = [(layer, 1.0)]
        if chosen.interpolate:
            a, b, lam = interpolation(k, layer_map.n_teacher, layer_map.n_student)
            mixture = [(layer, weight) for layer, weight in ((a, 1 - lam), (b, lam)) if weight > 0]
        logger.info("teacher layers %s supervise student layer %d", mixture, k)
        return mixture, k, scores

    def attribution(self, rows: Sequence[Row]) -> list[float]:
        """Return the teacher's attribution scores, layer 1 to L_T, on the first rows."""
        _, examples = self.encode(rows[: self.settings.attribution_examples])
        scores = attribute_layers(
            self.teacher,
            batches(examples, ATTRIBUTION_BATCH),
            self.settings.interface,
            aggregation=self.settings.attribution,
        )
        return scores.tolist()

    def supervision(
        self,
        rows: Sequence[Row],
        alignment: Float[Tensor, "d_teacher d_student"],
        mixture: Mixture,
        k: int,
        folder: Path,
    ) -> Supervision:
        """Return what student layer ``k`` trains on, with states computed once and kept below ``folder``."""
        student_examples, teacher_examples = self.encode(rows)
        positions = self.settings.positions
        matched = match_examples(student_examples, teacher_examples, positions)
        targets = teacher_states(
            self.teacher_architecture,
            teacher_examples,
            matched,
            mixture,
            self.settings.interface,
            folder,
            self.fingerprints["teacher"],
        )
        entering = entering_states(self.student_architecture, k, student_examples, folder, self.fingerprints["student"])
        return Supervision(student_examples, positions, matched, entering, targets, alignment)
