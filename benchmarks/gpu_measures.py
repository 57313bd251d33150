"""What ``gpu_check.py`` measures with random weights: bases, attribution, states, training and generation."""

from collections.abc import Sequence
from pathlib import Path

import torch
from gpu_models import Measured, free, measured, only
from torch import Tensor

from semalign import LanguageModel, SemanticBasis, attribute_layers
from semalign.data.rows import Example, batches
from semalign.evaluation.transformers_engine import transformers_engine
from semalign.models.architecture import Architecture
from semalign.models.parking import parked
from semalign.settings import TransferSettings
from semalign.targets.alignment import alignment_map
from semalign.targets.passes import FORWARD_EXAMPLES, StatePasses
from semalign.targets.store import StateStore
from semalign.targets.supervision import LayerTargets, Supervision, match_examples
from semalign.training.lora import add_lora
from semalign.training.objective import Objective
from semalign.training.steering import Steering

SAMPLE = 256  # rows of a basis that are compared with float64


def basis(model: LanguageModel, name: str, device: torch.device, pinv: bool) -> tuple[SemanticBasis, Measured]:
    """Compute a basis; with ``pinv``, time ``torch.linalg.pinv`` on the same head and compare both with float64."""
    weight = Architecture(model.model).head_weight.detach()
    with measured("basis", name, device) as found:
        ours = SemanticBasis.from_model(model)
    found.details = {"rows": len(weight), "width": weight.shape[1]}
    if pinv:
        with measured("pinv", name, device) as peer:
            theirs = torch.linalg.pinv(weight.float()).T
        exact = exact_rows(weight)
        errors = {"error": relative(ours.vectors, exact), "pinv_error": relative(theirs, exact)}
        found.details |= {"pinv_seconds": peer.seconds, **errors}
    return ours, found


def exact_rows(weight: Tensor) -> Tensor:
    """Return the first rows of a basis in float64, by a QR decomposition: ``S = W (R^T R)^-1``."""
    double = weight.double()
    r = torch.linalg.qr(double, mode="r").R
    half = torch.linalg.solve_triangular(r.T, double[:SAMPLE].T, upper=False)
    return torch.linalg.solve_triangular(r, half, upper=True).T


def relative(found: Tensor, exact: Tensor) -> float:
    """Return the relative error of the first rows."""
    return ((found[: len(exact)].double() - exact).norm() / exact.norm()).item()


def attribution(model: LanguageModel, rows: Sequence[Example], device: torch.device) -> Measured:
    """Measure one step of attribution in the teacher."""
    batch = next(batches(rows, len(rows)))
    with measured("attribution", "teacher", device, batch["input_ids"].numel()) as found:
        scores = attribute_layers(model, [batch])
    found.details = {"finite": bool(scores.isfinite().all()), "rows": len(rows)}
    return found


def passes(model: LanguageModel, rows: Sequence[Example], name: str, folder: Path) -> StatePasses:
    """Return what computes and stores the states of a model at the positions that predict a response."""
    at = [list(each.student) for each in match_examples(rows, rows, "response")]
    return StatePasses(Architecture(model.model), rows, at, folder, name)


def teacher_states(
    model: LanguageModel, rows: Sequence[Example], folder: Path, device: torch.device
) -> tuple[StateStore, Measured]:
    """Measure the forward passes that store the states of the teacher's last layer."""
    made = passes(model, rows, "teacher", folder)
    with measured("teacher states", "teacher", device, sum(map(len, rows))) as found:
        states = made.layer_states([[(made.model.n_layers, 1.0)]], "mlp")[0]
    found.details = {"rows": min(FORWARD_EXAMPLES, len(rows))}
    return states, found


def student_prefix(
    model: LanguageModel, k: int, rows: Sequence[Example], folder: Path, device: torch.device
) -> tuple[StateStore, Measured]:
    """Measure the forward passes that store the states entering layer k of the student."""
    made = passes(model, rows, "student", folder)
    with only(model, range(1, k), device), measured("student prefix", "student", device, sum(map(len, rows))) as found:
        states = made.entering_states(k)
    found.details = {"rows": min(FORWARD_EXAMPLES, len(rows)), "layer": k}
    return states, found


def aligned(teacher: SemanticBasis, student: SemanticBasis, device: torch.device) -> tuple[Tensor, Measured]:
    """Measure the map between two bases of the same tokens."""
    with measured("map", "student", device) as found:
        operator = alignment_map(teacher, student)
    return operator, found


def steering(student: LanguageModel, data: Supervision, settings: TransferSettings, device: torch.device) -> Measured:
    """Measure one step of training on a whole batch; a step before it on two rows warms the device up."""
    k = data.trained[0]
    tokens = sum(map(len, data.examples))
    adapted = Architecture(add_lora(student.model, data.trained, settings))  # tried out with all layers in place
    with parked([adapted, Architecture(student.model)], k):
        free(device)
        trainer = Steering(Objective(adapted, data, settings))
        trainer.backward([0, 1])
        with measured("training", "student", device, tokens) as found:
            losses = trainer.run()
    finite = all(torch.tensor(list(step.values())).isfinite().all() for step in losses)
    found.details = {
        "finite": bool(finite),
        "losses": losses,
        "rows": settings.micro_batch_size,
        "layer": k,
    }
    return found


def supervision(
    rows: Sequence[Example], entering: StateStore, targets: StateStore, k: int, operator: Tensor, device: torch.device
) -> Supervision:
    """Return what layer k learns from: the teacher's states, mapped."""
    matched = match_examples(rows, rows, "response")
    return Supervision(rows, "response", matched, entering, [LayerTargets(k, targets, operator)], device)


def generation(model: LanguageModel, rows: Sequence[Example], answer: int, device: torch.device) -> Measured:
    """Measure greedy answers of a fixed length to a batch of prompts."""
    prompts = torch.tensor([row.input_ids[: row.prompt_length] for row in rows], device=device)
    with transformers_engine(model, len(rows)) as engine:
        with measured("generation", "student", device, len(rows) * answer) as found:
            text = engine._model_generate(prompts, prompts.shape[1] + answer, [], min_new_tokens=answer)
    found.details = {"rows": len(rows), "prompt": prompts.shape[1], "answer": text.shape[1] - prompts.shape[1]}
    return found
