"""Seeking (Zhong et al., ICLR 2024): teacher weights with the largest sensitivity initialise a LoRA on the student.

Where the published code and the paper's Appendix B.1 differ, the form of the code is the default and that of the
appendix an option. Three differences from the code remain. The code also adapts the embedding and the LM head, which is
left out here because it restricts the method to one vocabulary. The code reads its seed examples from a separate file;
here they are the first rows of the data. The code averages a step over parts of eight examples; here every response
token of a step has the same weight.
"""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from semalign.data.rows import Example
from semalign.files import json_fingerprint
from semalign.methods.seeking.injection import as_plain_lora, inject
from semalign.methods.seeking.layer_gradients import matrix
from semalign.methods.seeking.sensitivity import Extraction, check_fit, extract
from semalign.methods.seeking.settings import BlockChoice
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.identity import computed_by
from semalign.models.pair import Pair
from semalign.models.precision import wide_model
from semalign.models.source import check_comparable
from semalign.outputs import check_folder
from semalign.paths import cache_dir
from semalign.training.adaptation import Adapted, Inputs, trainable
from semalign.training.finetuning import FineTuning, response_nll
from semalign.training.lora import add_lora, check_rank


def adapt(inputs: Inputs) -> Adapted:
    """Transfer knowledge from a teacher to a student by Seeking.

    The teacher's sensitivities on the first rows determine its layers and a block of each matrix
    (:func:`semalign.methods.seeking.sensitivity.extract`, which also states the memory it needs). The truncated SVD of
    a block initialises a LoRA on the student's matrix (:func:`semalign.methods.seeking.injection.inject`). All LoRAs
    are then trained by cross-entropy on the responses. The result is a LoRA of twice the rank on the unmodified
    student.

    The chosen blocks are stored in the cache folder, where runs with other seeds or the other injection reuse them.
    """
    pair, settings = inputs.pair, inputs.settings
    examples, checked = pair.encode(inputs.rows).student, pair.encode(inputs.held_out).student
    extraction = _extraction(pair, pair.encode(inputs.rows[: settings.seed_examples]).teacher, settings.block)
    blocks = list(_blocks(pair, extraction))
    pair.teacher_source.release()
    student = pair.student_architecture
    # W - BA would lose BA's last digits in a half-precision W.
    trained = wide_model(student.model)
    adapted = add_lora(trained, range(1, student.n_layers + 1), settings, all_matrices=True).eval()
    removed = inject(adapted, iter(blocks), settings.injection)
    del blocks
    injected = {"response_nll": response_nll(Architecture(adapted), checked)} if checked else None
    identity = inputs.identity("seeking")
    training = FineTuning(Architecture(adapted), examples, settings, inputs.checkpoint(), identity)
    losses = training.run(inputs.watcher(adapted))
    details = {
        "teacher_layers": extraction.layers,
        "layer_scores": extraction.layer_scores,
        "injected": injected,
        "adapter_parameters": trainable(adapted),
    }
    return Adapted(as_plain_lora(student.model, adapted, removed), losses, details)


def check_inputs(inputs: Inputs) -> None:
    """Make sure that the models fit.

    Raises:
        ValueError: if the teacher is smaller than the student in some dimension, or the rank is too high for it,
            or if a model is quantised or spread by a device map.
        OSError: if the cache folder cannot be written.
    """
    pair = inputs.pair
    for source in (pair.teacher_source, pair.student_source):
        check_comparable(source)
    check_fit(pair.teacher_outline, pair.student_outline)
    check_rank(pair.student_outline, inputs.settings)
    check_folder(cache_dir() / "seeking")


def _extraction(pair: Pair, seeds: Sequence[Example], choice: BlockChoice) -> Extraction:
    """Return the extraction; it is read from the cache if a run had the same teacher, shapes, examples and choice."""
    student = pair.student_outline
    shapes = check_fit(pair.teacher_outline, student)
    seen = [[example.input_ids, example.prompt_length] for example in seeds]
    made_by = [pair.fingerprints["teacher"], computed_by(pair.teacher_outline.model)]
    key = json_fingerprint([*made_by, student.n_layers, shapes, seen, choice])
    path = cache_dir() / "seeking" / f"{key}.safetensors"

    def make() -> None:
        if Extraction.load(path, list(shapes)) is None:
            extract(pair.teacher_architecture, student, seeds, choice).save(path)

    processes.by_first(make)
    extraction = Extraction.load(path, list(shapes))
    if extraction is None:
        raise OSError(f"{path} is not there for all processes: SEMALIGN_CACHE must be on a disk that they share")
    return extraction


def _blocks(pair: Pair, extraction: Extraction) -> Iterator[tuple[str, Float[Tensor, "n m"]]]:
    """Yield the name of each of the student's matrices and a copy of its teacher block, on the CPU."""
    student, teacher = pair.student_outline, pair.teacher_architecture
    for k, (layer, blocks) in enumerate(zip(extraction.layers, extraction.blocks, strict=True), start=1):
        for name, (path, block) in zip(student.lora_targets([k], all_matrices=True), blocks.items(), strict=True):
            whole = matrix(teacher.layer(layer).get_submodule(path))
            yield name, block.of(whole).cpu()
