"""A teacher and a student: what a transfer asks of the two together before anything trains."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int
from peft import PeftModel
from torch import Tensor

from semalign.bases.basis import SemanticBasis
from semalign.data.rows import Row, batches
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.alignment import alignment_map, shared_atoms
from semalign.targets.attribution import attribute_layers
from semalign.targets.maps import least_squares_map, moments, procrustes_map, random_map, ridge_map
from semalign.targets.pairing import LayerMap, interpolation
from semalign.targets.passes import Mixture, entering_states, final_states, layer_states
from semalign.targets.store import StateStore
from semalign.targets.supervision import Supervision, match_examples
from semalign.training.terms import Objective, TeacherHead

logger = logging.getLogger(__name__)
ATTRIBUTION_BATCH = 8


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

    @cached_property
    def bases(self) -> tuple[SemanticBasis, SemanticBasis]:
        """The output-side bases of teacher and student."""
        teacher, student = (
            SemanticBasis.from_model(m, fold_norm=self.settings.fold_norm) for m in (self.teacher, self.student)
        )
        return teacher, student

    @cached_property
    def shared_ids(self) -> tuple[Int[Tensor, " shared"], Int[Tensor, " shared"]]:
        """The tokens that both models have, as ids of the teacher's and of the student's vocabulary."""
        teacher, student = (b.token_ids[atoms] for b, atoms in zip(self.bases, shared_atoms(*self.bases), strict=True))
        return teacher, student

    def alignment(self) -> Float[Tensor, "d_teacher d_target"] | None:
        """Return the alignment map M on the student's device; None where it is fitted on states.

        By default :func:`semalign.alignment_map` of the two output-side bases, in float32.

        Raises:
            ValueError: for a damaged LM head, or too few shared tokens where the settings need them.
        """
        kind, (teacher, student), seed = self.settings.map, self.bases, self.settings.seed
        if self.settings.distils:
            _ = self.shared_ids  # too few would be an error, and better now than after all states
        if kind in ("procrustes", "ridge"):
            return None
        if kind in ("none", "learned"):  # targets stay in the teacher's space
            dtype = torch.promote_types(self.teacher_architecture.head_weight.dtype, torch.float32)
            return torch.eye(teacher.vectors.shape[1], dtype=dtype, device=self.student.model.device)
        if kind == "random":
            found = random_map(teacher, student, seed)
        elif kind == "least_squares":
            architectures = self.teacher_architecture, self.student_architecture
            heads = (a.folded_head() if self.settings.fold_norm else a.head_weight.detach() for a in architectures)
            found = least_squares_map(*(head[ids] for head, ids in zip(heads, self.shared_ids, strict=True)))
        else:
            found = alignment_map(teacher, student.permuted(seed) if kind == "permuted" else student)
        return found.to(self.student.model.device, torch.float32)

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
        mixture = self.mixture(layer, k)
        logger.info("teacher layers %s supervise student layer %d", mixture, k)
        return mixture, k, scores

    def mixture(self, layer: int, k: int) -> Mixture:
        """Return what supervises student layer ``k``: its partner ``layer``, or the neighbours to interpolate."""
        if not self.settings.interpolate:
            return [(layer, 1.0)]
        a, b, lam = interpolation(k, self.teacher_architecture.n_layers, self.student_architecture.n_layers)
        return [(layer, weight) for layer, weight in ((a, 1 - lam), (b, lam)) if weight > 0]

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
        alignment: Float[Tensor, "d_teacher d_target"] | None,
        mixture: Mixture,
        k: int,
        folder: Path,
        student: Architecture | None = None,
    ) -> Supervision:
        """Return what student layer ``k`` trains on, with states computed once and kept below ``folder``.

        Args:
            rows: what to train on.
            alignment: the alignment map; None to fit the one of the settings on these rows.
            mixture: teacher layers with their weights.
            k: student layer.
            folder: where states are kept.
            student: the student as it is by now, if layers below ``k`` have changed; ``folder`` must then be its own.
        """
        student_examples, teacher_examples = self.encode(rows)
        positions, interface = self.settings.positions, self.settings.interface
        matched = match_examples(student_examples, teacher_examples, positions)
        at, teacher_at = ([pair[i] for pair in matched] for i in (0, 1))
        teacher, mark = self.teacher_architecture, self.fingerprints["teacher"]
        targets = layer_states(teacher, teacher_examples, teacher_at, mixture, interface, folder, mark)
        final = final_states(teacher, teacher_examples, teacher_at, folder, mark) if self.settings.distils else None
        learner, mark = student or self.student_architecture, self.fingerprints["student"]
        projection = None
        if alignment is None or self.settings.map == "learned":
            reached = layer_states(learner, student_examples, at, [(k, 1.0)], interface, folder, mark)
            if alignment is None:
                alignment = self._fitted(targets, reached)
            else:
                projection = self._fitted(reached, targets)
        entering = entering_states(learner, k, student_examples, folder, mark)
        return Supervision(student_examples, positions, matched, entering, targets, alignment, final, projection)

    def _fitted(self, x: StateStore, y: StateStore) -> Float[Tensor, "d_x d_y"]:
        """Return the map from x to y that the settings ask for; a learned projection starts at the ridge solution."""
        fit = moments(x, y, centred=self.settings.centre_targets)
        found = (
            procrustes_map(fit) if self.settings.map == "procrustes" else ridge_map(fit, self.settings.ridge_penalty)
        )
        return found.to(self.student.model.device, torch.promote_types(y.dtype, torch.float32))

    def objective(self, adapted: PeftModel, k: int, supervision: Supervision) -> Objective:
        """Return what layer ``k`` of an adapted student minimises."""
        head = TeacherHead(self.teacher_architecture, *self.shared_ids) if self.settings.distils else None
        return Objective(Architecture(adapted), k, self.settings, supervision.projection, head)
