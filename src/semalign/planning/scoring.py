"""The phases that score or read a model: evaluations, decomposition, CKA."""

from collections.abc import Iterator

import torch

from semalign.analysis.paired_states import StateOptions
from semalign.models.answers import ROWS
from semalign.models.architecture import INTERFACES
from semalign.planning import flops, memory
from semalign.planning.memory import Batch
from semalign.planning.setup import Phase, Setup
from semalign.planning.shapes import Shapes
from semalign.planning.texts import Texts, bare
from semalign.settings import TrainingSettings

LAUNCH = 6e-4  # seconds of a decoder layer for one token of a batch in transformers, however small the model


def generation(setup: Setup, model: Shapes, texts: Texts, batch_size: int, answer: int, dtype: torch.dtype) -> Phase:
    """Return the phase in which a model answers prompts, with batches of one length by transformers.

    A step reads all weights and the cache, so that its time is theirs over the bandwidth, or that of launching kernels;
    batches are counted as if one row of each reached the longest answer.
    """
    prompts, size, steps = bare(texts), dtype.itemsize, answer * -(-len(texts) // batch_size)
    batch = Batch.longest(prompts, batch_size)
    weights = memory.weights(model, size)
    cached = memory.cache(model, batch.rows, batch.width, answer, size)
    peak = weights + cached + max(memory.forward(model, batch, size), 4 * batch.rows * model.vocabulary * 3)
    tokens = answer * len(texts)
    work = flops.layers_forward(model, prompts, model.layers) + flops.head(model, tokens)
    work += (
        model.layers
        * (2 * model.matrix_parameters + flops.FORWARD * model.query * (batch.width + answer // 2))
        * tokens
    )
    step = max((weights + cached / 2) / setup.machine.bandwidth, LAUNCH * model.layers)
    prefill = setup.machine.seconds(flops.layers_forward(model, prompts, model.layers), dtype)
    return Phase("generation", peak, work, prefill + steps * step, batch_size)


def answers(setup: Setup, settings: TrainingSettings, texts: Texts) -> Iterator[Phase]:
    """Yield the phase in which the teacher answers the prompts of the rows, if the settings ask for its responses."""
    if settings.responses == "teacher":
        longest, dtype = int(texts.responses.max()) + 1, setup.options.type_of(setup.teacher)
        yield generation(setup, setup.teacher, texts, ROWS, longest, dtype)  # as long as the given responses


def choices(setup: Setup, model: Shapes, texts: Texts, batch_size: int, dtype: torch.dtype) -> Phase:
    """Return the phase in which a model scores one continuation of each item, with at most this memory.

    It is that of lm-eval, which holds the logits of all tokens, in the model's type and in float32, and their
    log-softmax. Here only some logits are computed, by a head in float32.
    """
    size, batch = dtype.itemsize, Batch.longest(texts, batch_size)
    copies = (size if size < 4 else 0) + 8
    logits = batch.tokens * model.vocabulary * copies
    peak = memory.weights(model, size) + max(memory.forward(model, batch, size), logits)
    work = flops.layers_forward(model, texts, model.layers) + flops.head(model, texts.tokens)
    return setup.phase("choices", peak, work, dtype, batch_size)


def decomposition(setup: Setup, model: Shapes, texts: Texts, batch_size: int = 4) -> Phase:
    """Return the phase of Fig. 2: states of all layers and interfaces of a batch, and three bases."""
    prompts, size = bare(texts), setup.options.size(model)
    batch = Batch.longest(prompts, batch_size)
    places = (len(INTERFACES) * model.layers + 1) * batch.tokens
    frames = 3 * model.width * (4 * model.vocabulary + memory.DOUBLE * model.width)
    peak = memory.weights(model, size) + places * model.width * size + frames + memory.basis(model, 4)
    work = flops.layers_forward(model, prompts, model.layers)
    work += 3 * 2 * model.width**2 * (len(INTERFACES) * model.layers + 1) * prompts.tokens
    double = 3 * flops.inverse(model)
    return setup.phase("decomposition", peak, work + double, torch.float32, batch_size, double)


def cka(setup: Setup, texts: Texts) -> Phase:
    """Return the phase of Fig. 4 and 6: a block of states of all layers of both models, and their Gram matrices."""
    options, prompts = StateOptions(), bare(texts)
    models = setup.teacher, setup.student
    batch = Batch.longest(prompts, options.batch_size)
    held = sum(4 * 2 * (batch.tokens + options.block) * model.layers * model.width for model in models)
    grams = sum(4 * options.block**2 * model.layers for model in models) * 2
    own = sum(memory.weights(model, setup.options.size(model)) for model in models)
    forward = max(memory.forward(model, batch, setup.options.size(model)) for model in models)
    work = sum(flops.layers_forward(model, prompts, model.layers) for model in models)
    work += sum(2 * options.block * model.width * model.layers * prompts.tokens for model in models)
    double = sum(map(flops.inverse, models))
    return setup.phase(
        "cka", own + held + grams + forward, 4 * work + double, torch.float32, options.batch_size, double
    )
