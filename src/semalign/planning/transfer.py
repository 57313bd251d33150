"""The phases of a SemAlign transfer and its controls: teacher signals, bases and map, student prefix, training.

The teacher is gone before the student comes. Where attribution finds the layers, they are the worst case
(:mod:`semalign.planning.layers`).
"""

from collections.abc import Iterator, Sequence

from semalign.models.head_outputs import HEADS, check_equal_numbers
from semalign.planning import flops, memory
from semalign.planning.layers import attributes, deepest, pairs_of
from semalign.planning.memory import Batch
from semalign.planning.scoring import answers
from semalign.planning.setup import Phase, Setup, largest_batch
from semalign.planning.shapes import Shapes
from semalign.planning.texts import Texts
from semalign.settings import TransferSettings
from semalign.targets.attribution_methods import NODES
from semalign.targets.choice import ATTRIBUTION_BATCH, LayerPair
from semalign.targets.maps import MAPS
from semalign.targets.passes import FORWARD_EXAMPLES
from semalign.targets.store import SHARD_EXAMPLES
from semalign.training.output_terms import OUTPUT_TERMS
from semalign.training.output_terms.cosine import CosineTerm
from semalign.training.schedules import SCHEDULES

KL_COPIES = 3  # matrices of logits that the divergence holds: of both models, and the teacher's probabilities


def phases(setup: Setup, settings: TransferSettings, texts: Texts) -> Iterator[Phase]:
    """Yield the phases of a transfer that trains on these texts.

    Raises:
        ValueError: for the interface ``heads`` if teacher and student have different numbers of them, or layers that
            do not exist.
    """
    if settings.interface == HEADS:
        check_equal_numbers(setup.teacher.heads, setup.student.heads)
    pairs, of_heads = pairs_of(setup, settings), settings.interface == HEADS
    first, stored = pairs[0].student, sum(map(len, {tuple(pair.teacher) for pair in pairs}))  # layers, also mixed ones
    yield setup.reading(setup.teacher)
    yield from answers(setup, settings, texts)
    yield bases(setup)
    if attributes(settings):
        yield attribution(setup, texts.first(settings.attribution_examples), settings)
    yield teacher_states(setup, texts, *_teacher_passes(setup, settings, pairs), stored=stored, of_heads=of_heads)
    yield setup.reading(setup.student)
    fitted = [pairs[-1].student] if MAPS[settings.map].needs == "states" and not _in_turns(settings) else []
    yield student_prefix(setup, texts, first, *fitted, stored=len(pairs), of_heads=of_heads)
    yield training(setup, settings, texts, first)


def _in_turns(settings: TransferSettings) -> bool:
    return SCHEDULES[settings.schedule].every_layer


def _teacher_passes(setup: Setup, settings: TransferSettings, pairs: Sequence[LayerPair]) -> list[int]:
    """Return the layer up to which each pass over the rows goes: to the end for a term on the teacher's logits.

    All pairs share one pass; a schedule that trains every layer has one of all rows for each epoch.
    """
    to_the_end = OUTPUT_TERMS[settings.output_loss].needs_teacher
    last = setup.teacher.layers if to_the_end else max(deepest(pair.teacher) for pair in pairs)
    return [last] * (settings.epochs if _in_turns(settings) else 1)


def inverses(setup: Setup) -> int:
    """Return the inverses of both heads and the map, which stay to the end of a transfer."""
    teacher, student = setup.teacher, setup.student
    return memory.inverted(teacher) + memory.inverted(student) + 4 * teacher.width * student.width


def bases(setup: Setup) -> Phase:
    """Return the phase of the two inverses and the map between the bases, all in float64 at the most."""
    models = setup.teacher, setup.student
    # The teacher's inverse stays while the student's is made.
    largest = max(memory.inversion(setup.teacher), memory.inverted(setup.teacher) + memory.inversion(setup.student))
    largest += memory.weights(setup.teacher, setup.options.size(setup.teacher))
    work = sum(map(flops.inverse, models)) + flops.alignment(*models)
    return setup.phase("bases and map", largest, work, setup.options.type_of(setup.teacher), double=work)


def attribution(setup: Setup, texts: Texts, settings: TransferSettings) -> Phase:
    """Return the phase of the attribution in the teacher, by default Layer Gradient x Activation.

    It goes forward, and back to the first layer; integrated gradients do so for each layer and place of the path. An
    ablation goes forward without each layer, or each of its heads.
    """
    model, size = setup.teacher, setup.options.size(setup.teacher)

    def peak(rows: int) -> int:
        batch = Batch.longest(texts, rows)
        states = model.layers * batch.tokens * model.width * size
        # Layers are computed again one by one: the inputs and activations of all, then their gradients too.
        in_head = 2 * states + memory.logits(model, batch.positions, size)
        in_layers = 3 * states + memory.held(model, batch, size) + memory.backward(model, batch, size)
        return memory.weights(model, size) + inverses(setup) + max(in_head, in_layers)

    rows = largest_batch(ATTRIBUTION_BATCH, peak, setup.usable)
    padded = texts.padded(rows)
    forward = flops.layers_forward(model, padded, model.layers)
    both = 2 * (forward + flops.head(model, texts.positions)) + flops.layers_backward(model, padded, model.layers)
    work = _attribution_passes(model, settings, both, forward)
    return setup.phase("attribution", peak(rows), work, setup.options.type_of(model), rows)


def _attribution_passes(model: Shapes, settings: TransferSettings, both: int, forward: int) -> int:
    """Return the operations of all passes, given those of one forward and backward, and of one forward alone."""
    if settings.attribution_method == "ablation":
        heads = (settings.attribution_interface or settings.interface) == HEADS
        return forward * (1 + model.layers * (model.heads if heads else 1))
    return both * (model.layers * NODES if settings.attribution_method == "integrated_gradients" else 1)


def teacher_states(setup: Setup, texts: Texts, *passes: int, stored: int = 1, of_heads: bool = False) -> Phase:
    """Return the phase in which the teacher's states, or what its heads add, are stored at a number of places.

    Each pass over the rows goes up to a layer.
    """
    return _states(setup, setup.teacher, texts, passes, "teacher states", stored, of_heads)


def student_prefix(
    setup: Setup, texts: Texts, first: int, *fitted: int, stored: int = 1, of_heads: bool = False
) -> Phase:
    """Return the phase in which the states that enter the first trained layer are stored.

    A map that is fitted on states needs those of each trained layer too, which are ``stored`` in one pass up to the
    last of them, ``fitted``.
    """
    at_once = stored if fitted else 1
    return _states(
        setup, setup.student, texts, (first - 1, *fitted), "student prefix", at_once, of_heads and bool(fitted)
    )


def _states(
    setup: Setup, model: Shapes, texts: Texts, passes: Sequence[int], name: str, stored: int, of_heads: bool
) -> Phase:
    size, deep = setup.options.size(model), max(passes)

    def peak(rows: int) -> int:
        batch = Batch.longest(texts, rows)
        states = stored * batch.tokens * model.width * size * (model.heads if of_heads else 1)
        return memory.weights(model, size, deep) + inverses(setup) + memory.forward(model, batch, size) + states

    rows = largest_batch(FORWARD_EXAMPLES, peak, setup.usable)
    work = flops.layers_forward(model, texts.padded(rows, SHARD_EXAMPLES), sum(passes))
    return setup.phase(name, peak(rows), work, setup.options.type_of(model), rows)


def training(setup: Setup, settings: TransferSettings, texts: Texts, first: int) -> Phase:
    """Return the phase in which LoRA on the first layer trains, through all later layers."""
    model, size, count = setup.student, setup.options.size(setup.student), setup.student.layers - first + 1
    rows = setup.options.micro_batch_size or settings.micro_batch_size or settings.batch_size
    adapted = model.layers if settings.schedule == "frontier" else max(1, len(settings.student_layers or ()))
    batch, parameters = Batch.longest(texts, rows), adapted * model.lora_parameters(settings.rank)
    checkpointing = setup.options.checkpointing(settings)
    acts = memory.activations(model, batch, size, count, checkpointing)
    acts += memory.lora_inputs(model, batch, model.lora) + batch.positions * (model.width * 4 + setup.teacher.width * 4)
    if settings.interface == HEADS:
        acts += max(1, len(settings.student_layers or ())) * memory.of_heads(model, batch, size)
    last = max(_output_memory(setup, settings, batch, size), memory.backward(model, batch, size))
    peak = memory.weights(model, size, count) + inverses(setup) + memory.trained(parameters) + acts + last
    padded = texts.padded(rows, settings.batch_size)
    work = flops.layers_forward(model, padded, count) * (2 if checkpointing else 1)
    work += flops.layers_backward(model, padded, count) - flops.not_reached(model, padded)
    work += flops.lora(model.lora_parameters(settings.rank), padded.tokens)
    work += _output_work(setup, settings, texts)
    return setup.phase("training", peak, settings.epochs * work, setup.options.type_of(model), rows)


def _output_memory(setup: Setup, settings: TransferSettings, batch: Batch, size: int) -> int:
    term = OUTPUT_TERMS[settings.output_loss]
    if issubclass(term, CosineTerm):
        return memory.cosine(setup.student, batch.positions)
    if not term.needs_teacher:
        return memory.logits(setup.student, batch.positions, size)
    head = setup.teacher.vocabulary * setup.teacher.width * (size + (4 if size < 4 else 0))
    return head + memory.logits(setup.student, batch.positions, size, KL_COPIES)


def _output_work(setup: Setup, settings: TransferSettings, texts: Texts) -> int:
    term = OUTPUT_TERMS[settings.output_loss]
    if issubclass(term, CosineTerm):
        return 6 * setup.student.width**2 * texts.positions
    teacher = flops.head(setup.teacher, texts.positions) if term.needs_teacher else 0
    return 2 * flops.head(setup.student, texts.positions) + teacher
