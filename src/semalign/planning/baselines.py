"""The phases of the baselines: supervised fine-tuning, Seeking, LaTen. The teacher is gone before the student comes.

Seeking and LaTen keep their student in float32, beside the one in half precision, since their changes are too small for
half precision (:mod:`semalign.models.precision`).
"""

from collections.abc import Iterator

import torch

from semalign.methods.laten.settings import LatenSettings
from semalign.methods.seeking.sensitivity import EXAMPLES_AT_ONCE
from semalign.methods.seeking.settings import SeekingSettings
from semalign.planning import flops, memory
from semalign.planning.memory import Batch
from semalign.planning.scoring import answers
from semalign.planning.setup import Phase, Setup, largest_batch
from semalign.planning.shapes import Shapes
from semalign.planning.texts import Texts
from semalign.settings import TrainingSettings

SINGLE = torch.float32


def fine_tuning(setup: Setup, settings: TrainingSettings, texts: Texts) -> Iterator[Phase]:
    """Yield the phases of supervised fine-tuning; the teacher is used for its answers alone."""
    model = setup.student
    if settings.responses == "teacher":
        yield setup.reading(setup.teacher)
        yield from answers(setup, settings, texts)
    yield setup.reading(model)
    held = memory.weights(model, setup.options.size(model))
    yield _training(setup, settings, texts, setup.options.type_of(model), model.lora, held)


def seeking(setup: Setup, settings: SeekingSettings, texts: Texts) -> Iterator[Phase]:
    """Yield the phases of Seeking: sensitivities of the teacher, then training of all matrices of the student."""
    teacher, student = setup.teacher, setup.student
    yield setup.reading(teacher)
    yield from answers(setup, settings, texts)
    yield sensitivities(setup, texts.first(settings.seed_examples), settings)
    yield setup.reading(student)
    own = 0 if setup.options.size(student) >= 4 else memory.weights(student, 4)  # the copy in float32
    changed = student.layers * student.matrix_parameters * 4  # W - BA of each matrix, a new tensor
    removed = student.layers * student.lora_parameters(settings.rank, tuple(student.matrices)) * 4
    held = memory.weights(student, setup.options.size(student)) + own + changed + removed
    yield _training(setup, settings, texts, SINGLE, tuple(student.matrices), held)


def sensitivities(setup: Setup, texts: Texts, settings: SeekingSettings) -> Phase:
    """Return the phase in which each teacher weight is multiplied by its gradients, layer by layer."""
    teacher, student, size = setup.teacher, setup.student, setup.options.size(setup.teacher)
    pairs = [(teacher.matrices[path], student.matrices[path]) for path in student.matrices]
    largest = max(rows * columns for (rows, columns), _ in pairs)
    windows = sum((rows - n + 1) * (columns - m + 1) for (rows, columns), (n, m) in pairs)
    sums = windows if settings.block == "window" else sum(rows + columns for (rows, columns), _ in pairs)
    # The gradients of a layer and the sums of their magnitudes; then sums and float64 numbers of the largest matrix.
    layer = teacher.matrix_parameters * (2 * size + 4) + 4 * largest * memory.DOUBLE

    def peak(rows: int) -> int:
        batch = Batch.longest(texts, rows)
        held = teacher.layers * (memory.held(teacher, batch, size) + _inputs(teacher, batch, size))
        last = max(memory.logits(teacher, Batch.longest(texts, 1).positions, size), layer)
        return memory.weights(teacher, size) + held + last + teacher.layers * sums * memory.DOUBLE

    rows = largest_batch(EXAMPLES_AT_ONCE, peak, setup.machine.usable)  # on one GPU, however many there are
    work = flops.layers_forward(teacher, texts, teacher.layers) + flops.layers_backward(teacher, texts, teacher.layers)
    work += flops.weight_gradients(teacher.layers * teacher.matrix_parameters, texts.tokens)
    work += 2 * flops.head(teacher, texts.positions)
    return setup.phase("sensitivities", peak(rows), work, setup.options.type_of(teacher), rows)


def laten(setup: Setup, settings: LatenSettings, texts: Texts) -> Iterator[Phase]:
    """Yield the phases of LaTen: scores of neurons in both models, then training of the hypernetwork."""
    teacher, student = setup.teacher, setup.student
    extracted = texts.first(settings.extract_size)
    yield setup.reading(teacher)
    yield neurons(setup, teacher, extracted, memory.weights(teacher, setup.options.size(teacher)))
    yield setup.reading(student)
    size = setup.options.size(student)
    held = memory.weights(student, size) + (0 if size >= 4 else memory.weights(student, 4))
    yield neurons(setup, student, extracted, held)
    aligned = texts.between(settings.extract_size, settings.extract_size + settings.align_size)
    yield hypernetwork(setup, settings, aligned)


def neurons(setup: Setup, model: Shapes, texts: Texts, models: int) -> Phase:
    """Return the phase in which the LM head reads each neuron's columns once, and the stream of each text."""
    work = flops.layers_forward(model, texts, model.layers)
    work += model.layers * flops.head(model, model.mlp + model.query + 8 * len(texts))
    # What a text has of its own: about a hundred operations for each neuron and token, most of them of the softmax.
    work += 100 * len(texts) * model.layers * (model.mlp + model.kv_heads * model.head_width) * model.vocabulary
    head = model.vocabulary * model.width * 4 if setup.options.size(model) < 4 else 0
    peak = models + 4 * model.width * model.mlp * 3 + head + 4 * 2**24 * 3
    return setup.phase("neurons", peak, work, SINGLE, 1)


def hypernetwork(setup: Setup, settings: LatenSettings, texts: Texts) -> Phase:
    """Return the phase in which the hypernetwork trains through the student, with all changed matrices in memory."""
    teacher, student = setup.teacher, setup.student
    rows = setup.options.micro_batch_size or settings.micro_batch_size or settings.batch_size
    batch, layers = Batch.longest(texts, rows), min(teacher.layers, student.layers)
    vectors = _vectors(setup, settings, layers)
    parameters = 4 * (teacher.width**2 + teacher.width * student.width)
    changed = layers * sum(outputs * inputs for outputs, inputs in map(student.matrices.get, student.lora)) * 4  # type: ignore[misc]
    # Neurons' weights of the teacher, hidden values of the hypernetwork, then changes, leaves and gradients.
    own = vectors * (2 * teacher.width + 3 * student.width) * 4 + memory.trained(parameters)
    held = student.layers * (memory.held(student, batch, 4) + memory.lora_inputs(student, batch, student.lora))
    last = max(memory.logits(student, batch.positions, 4), memory.backward(student, batch, 4))
    steps = settings.steps or -(-len(texts) // settings.batch_size)
    seen = texts.cycled(steps * settings.batch_size).padded(rows)
    work = flops.layers_forward(student, seen, student.layers) + flops.layers_backward(student, seen, student.layers)
    work += flops.weight_gradients(changed // 4, seen.tokens) + 2 * flops.head(student, seen.positions)
    work += steps * 6 * vectors // 4 * parameters
    peak = memory.weights(student, 4) + own + changed + held + last
    return setup.phase("hypernetwork", peak, work, SINGLE, rows)


def _vectors(setup: Setup, settings: LatenSettings, layers: int) -> int:
    """Return the number of neurons' vectors: of up and down, and of values and outputs."""
    ffn, value = setup.student.mlp, setup.student.kv_heads * setup.student.head_width
    return layers * 2 * sum(max(1, round(settings.neuron_share * n)) for n in (ffn, value))


def _inputs(model: Shapes, batch: Batch, size: int) -> int:
    """Return the inputs of all matrices of a layer, which their gradients need: those that are not held already."""
    return batch.tokens * (2 * model.width + model.query + model.mlp) * size


def _training(
    setup: Setup, settings: TrainingSettings, texts: Texts, dtype: torch.dtype, paths: tuple[str, ...], held: int
) -> Phase:
    """Return the phase of supervised fine-tuning of LoRA on some matrices of all layers of the student."""
    model, size = setup.student, dtype.itemsize
    rows = setup.options.micro_batch_size or settings.micro_batch_size or settings.batch_size
    batch, parameters = Batch.longest(texts, rows), model.layers * model.lora_parameters(settings.rank, paths)
    checkpointing, inputs = setup.options.checkpointing(settings), memory.lora_inputs(model, batch, paths)
    acts = memory.activations(model, batch, size, model.layers, checkpointing)
    acts += (1 if checkpointing else model.layers) * inputs
    last = max(memory.logits(model, batch.positions, size), memory.backward(model, batch, size))
    padded = texts.padded(rows)
    work = flops.layers_forward(model, padded, model.layers) * (2 if checkpointing else 1)
    work += flops.layers_backward(model, padded, model.layers) + flops.lora(parameters, padded.tokens)
    work += 2 * flops.head(model, texts.positions)
    peak = held + memory.trained(parameters) + acts + last
    return setup.phase("training", peak, settings.epochs * work, dtype, rows)
