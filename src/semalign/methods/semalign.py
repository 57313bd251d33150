"""SemAlign, the paper's method with the paper's settings."""

from pathlib import Path
from typing import Any

import torch

from semalign.bases.inverted_head import InvertedHead
from semalign.bases.precision import RowProduct
from semalign.bases.vocabulary import Vocabulary, atom_rows
from semalign.methods.held_out import of_held_out
from semalign.methods.runner import Data, Model, TransferResult, run_method
from semalign.models.head_outputs import HEADS
from semalign.models.loading import LanguageModel
from semalign.models.precision import wide_type
from semalign.outputs import check_folder
from semalign.paths import cache_dir
from semalign.registry import lookup
from semalign.results.records import PAPER
from semalign.settings import MAPS, OUTPUT_TERMS, SCHEDULES
from semalign.targets.choice import check_layers
from semalign.targets.chosen_atoms import chosen_atoms
from semalign.targets.supervision import match_examples
from semalign.targets.vocabularies import shared_atoms
from semalign.training.adaptation import Adapted, Inputs
from semalign.training.lora import check_rank


def align_and_steer(inputs: Inputs) -> Adapted:
    """Adapt the student by latent semantic alignment, following the schedule of the settings."""
    return lookup(SCHEDULES)[inputs.settings.schedule].run(inputs)


def check_inputs(inputs: Inputs) -> None:
    """Make sure that the settings fit the models, and the states the disk.

    Raises:
        ValueError: if a layer does not exist, no position of the rows is the same for both tokenizers, the rank is too
            high for the student, the output term cannot be used with the student, or too few tokens are shared.
        OSError: if the cache folders cannot be written or the disk has too little room.
    """
    pair, settings = inputs.pair, inputs.settings
    check_layers(pair, settings)
    match_examples(*pair.encode(inputs.rows[: settings.train_size]), settings.positions)
    if inputs.held_out:
        with of_held_out():
            match_examples(*pair.encode(inputs.held_out), settings.positions)
    check_rank(pair.student_outline, settings)
    lookup(OUTPUT_TERMS)[settings.output_loss].check(pair.student_outline)
    _check_atoms(inputs)
    check_folder(cache_dir() / "attribution")
    check_folder(cache_dir() / "states", _bytes_of_states(inputs))


def _check_atoms(inputs: Inputs) -> None:
    """Make sure that the models share enough atoms for the map and the output term, if these need any."""
    pair, settings = inputs.pair, inputs.settings
    alignment, term = lookup(MAPS)[settings.map], lookup(OUTPUT_TERMS)[settings.output_loss]
    if not (alignment.of_shared_tokens or term.needs_teacher):
        return
    teacher, student = (_named_rows(source.outline) for source in (pair.teacher_source, pair.student_source))
    if settings.atoms != "all" and settings.responses == "given":  # the teacher's answers are not known yet
        examples = pair.encode(inputs.rows[: settings.train_size]).student
        teacher, student = chosen_atoms(teacher, student, settings.atoms, examples, settings.seed)
    shared_atoms(teacher, student)


def _named_rows(model: LanguageModel) -> InvertedHead:
    """Return the atoms of a model, with names and shapes and without vectors, which would need its weights."""
    vocabulary = Vocabulary.of(model)
    atoms = atom_rows(vocabulary.head, vocabulary.rows, unique_rows=False)
    width = vocabulary.head.shape[1]
    empty = RowProduct(torch.empty(width, width, dtype=torch.float64, device="meta"))
    return InvertedHead(vocabulary.head, empty, atoms, atoms, *vocabulary.names_at(atoms))


def _bytes_of_states(inputs: Inputs) -> int:
    """Return an upper bound for the states of a transfer on disk, each as wide as its model, or wider if interpolated.

    For each student layer: those that enter it, those of its teacher layer, and for some maps and output terms those
    of the layer itself and of the teacher's last layer. Each head has a state of its own. A schedule that trains every
    layer has about as many rows for all of them as one layer sees in all epochs, at least one for each.
    """
    pair, settings = inputs.pair, inputs.settings
    rows = inputs.rows[: settings.train_size]
    tokens = sum(len(example) for example in pair.encode([*rows, *inputs.held_out]).student)
    copies = len(settings.student_layers or [1])
    if lookup(SCHEDULES)[settings.schedule].every_layer:
        copies = max(settings.epochs, -(-pair.student_outline.n_layers // len(rows)))
    sides, of_heads = (pair.teacher_outline, pair.student_outline), settings.interface == HEADS
    types = [each.head_weight.dtype for each in sides]
    sizes = [(wide_type(dtype) if settings.interpolate else dtype).itemsize for dtype in types]
    numbers = [(1 + (each.n_heads if of_heads else 1)) * each.width for each in sides]
    return tokens * copies * sum(number * size for number, size in zip(numbers, sizes, strict=True))


def transfer(
    teacher: Model,
    student: Model,
    data: Data,
    *,
    output_dir: str | Path | None = None,
    validation: Data | None = None,
    task: str = "own data",
    **settings: Any,
) -> TransferResult:
    """Transfer knowledge from a teacher to a student by latent semantic alignment.

    Attribution finds the teacher's critical layer, and pairing the corresponding student layer k. The teacher's states
    there are mapped into the student's space by ``target = h @ M``. These targets and the labels supervise a
    LoRA on layer k. States of both models are stored in the cache folder, and a later run with the same inputs reuses
    them.

    Args:
        teacher: the larger model, or a name or path that :func:`semalign.load_model` takes.
        student: the smaller model; it is not changed. If it has a LoRA adapter, training starts from there, and the
            result is one adapter of the base model that holds both.
        data: rows with ``prompt`` and ``response``, or with ``messages`` for the student's chat template: a file, a
            ``datasets`` Dataset or a list.
        output_dir: folder for adapter, record and checkpoints; a stopped run with the same inputs resumes there;
            the result of a run with others is replaced at the end.
        validation: held-out rows, on which response NLL and cosines are measured before and after training.
        task: name of the task, for the record.
        **settings: fields of :class:`semalign.settings.TransferSettings`.

    Raises:
        ValueError: for unknown settings, empty data, rows longer than the context, a damaged LM head, too few shared
            tokens or a layer out of range, all before any long work.
        FileNotFoundError: for a model or data file that does not exist.
    """
    places: dict[str, Any] = {"output_dir": output_dir, "validation": validation, "task": task}
    return run_method(PAPER, teacher, student, data, **places, **settings)
