"""Why steps fall short of their marks, where they do: words from here, numbers from the records."""

from collections.abc import Callable, Mapping
from typing import Any

from semalign.book.tables.speed import megabytes, size_text

Size = Mapping[str, Any]  # the measurement of one size

EPOCHS = 5  # of a transfer that is measured


def why(step: str, size: Size) -> str:
    """Return why a step falls short of its mark.

    Args:
        step: name of the step.
        size: what its last run measured at the largest size at which all runs fall short.
    """
    return REASONS[step](size) if step in REASONS else "not explained yet"


def transfer_bound(size: Mapping[str, int], part: float) -> float:
    """Return how many times fewer operations a transfer takes than a loop that runs both models whole in every step.

    The loop takes both models with their heads, and goes back through the student from its end to the trained layer.
    Attention, norms and LoRA are left out on both sides.

    Args:
        size: ``width`` and ``layers`` of the student, and ``vocabulary``; the teacher has a third more width and a
            quarter more layers.
        part: depth of both layers, from 0 for the first to 1 for the last.
    """
    return EPOCHS * sum(_loop(size, part)) / transfer_operations(size, part)


def transfer_operations(size: Mapping[str, int], part: float) -> float:
    """Return how many operations a transfer takes for each token of its rows, in all epochs.

    A token takes two operations for each parameter that it passes, and as many again backwards. It passes the layers up
    to both chosen ones once, and in every epoch the student's layers from the trained one on, and back; the loss needs
    no logits.

    Args:
        size: see :func:`transfer_bound`.
        part: see :func:`transfer_bound`.
    """
    width, layers = size["width"], size["layers"]
    upper, k = (1 + round(part * (number - 1)) for number in (layers * 5 // 4, layers))
    once = 2 * (upper * _layer(width * 4 // 3) + (k - 1) * _layer(width))
    return once + EPOCHS * 4 * (layers - k + 1) * _layer(width)


def teacher_share(size: Mapping[str, int], part: float) -> float:
    """Return the share of the teacher's passes in the operations of the loop; see :func:`transfer_bound`."""
    teacher, student = _loop(size, part)
    return teacher / (teacher + student)


def _loop(size: Mapping[str, int], part: float) -> tuple[int, int]:
    """Return the operations of the loop in both models for a token: of the teacher's pass, and of the student's."""
    width, layers, vocabulary = size["width"], size["layers"], size["vocabulary"]
    wide, k = width * 4 // 3, 1 + round(part * (layers - 1))
    teacher = layers * 5 // 4 * _layer(wide) + vocabulary * wide
    head = vocabulary * width
    return 2 * teacher, 2 * (layers * _layer(width) + head) + 2 * ((layers - k + 1) * _layer(width) + head)


def _layer(width: int) -> int:
    """Return the parameters of a layer: four matrices of the attention, three of an MLP of 8/3 of its width."""
    return 4 * width**2 + 3 * width * (8 * width // 3 // 8 * 8)


def map_bound(size: Mapping[str, int]) -> float:
    """Return the share of the operations of an alignment map that its two bases need.

    Of V x D heads, each basis takes V D^2 operations for the Gram matrix, as many as D^3 for its inverse, and 2 V D^2
    for the product of both; the map takes 2 V D^2 more for the product of the vectors.
    """
    vocabulary, width = size["vocabulary"], size["width"]
    bases = 2 * (3 * vocabulary + width)
    return bases / (bases + 2 * vocabulary)


def _transfer(part: float) -> Callable[[Size], str]:
    def reason(size: Size) -> str:
        return (
            f"Counted in operations, {transfer_bound(size['size'], part):.1f} is the most with {EPOCHS} epochs at "
            f"{size_text(size['size'])}: the teacher's passes, {teacher_share(size['size'], part):.0%} of the loop, "
            "and those through the student's layers below the trained one are made once instead of in every epoch. "
            "What remains in every step are the trained layer and all behind it, forward and backward. "
            f"{_of_limit(size)}What was tried on these "
            "steps, at the width of the micro student: fused products, attention by plain products, bfloat16 and "
            "`torch.compile` ({numref}`tab-micro-steps`)."
        )

    return reason


def _of_limit(size: Size) -> str:
    """Return which share of a transfer's time its operations need; nothing for records that do not say."""
    if size["limit"] is None:
        return ""
    return (
        f"At the speed of a large product, the operations of ours would take {size['limit']:.0%} of its time; the rest "
        "goes into attention, LoRA, files, hashes of both models, and products of small matrices. "
    )


def _alignment_map(size: Size) -> str:
    return (
        f"Counted in operations it would be {map_bound(size['size']):.2f}, since the product of the unit vectors is "
        "added to the work of both bases. Where the ratio is higher, that product, large and in float32, runs nearer "
        "the limit than the other work of the bases: this is inferred, not measured. "
        "[Half products](#speed-half-products) were tried to save operations."
    )


def _basis(size: Size) -> str:
    return (
        f"Products of rows take {size['limit']:.0%} of the time at the speed of a large product. The rest goes into "
        "work in float64 on D x D matrices, the check that float32 is enough, and the fingerprint of the head, whose "
        "share falls with the width. The mark is for the largest size. An inverse by products of blocks takes "
        "about as long ([what was tried](#speed-tried))."
    )


def _laten(size: Size) -> str:
    return (
        f"{size['limit']:.0%} of the time are products at the speed of a large one. The peer makes them for each "
        "text, ours once for all texts, and that is the gain. The sums of logits and their exponentials, one for each "
        "text, neuron and token, remain on both sides, and weigh more the narrower the model. Adding up more logits "
        "at a time gains little, and fewer take longer ([what was tried](#speed-tried))."
    )


def _states_read(size: Size) -> str:
    ours, peer = (1e6 * size[side]["median"] / size["size"]["rows"] for side in ("ours", "peer"))
    return (
        f"An example takes {ours:.0f} microseconds here, and its share of the whole file {peer:.0f} there. Examples "
        "are small at this size, so that a call for each of them weighs more than its bytes; that is inferred from "
        "the larger size, where it does not, and where whole files take longer into new memory, as the peer reads "
        "them, than into memory that is in use. Reading in the order of the file does not help here ([what was "
        "tried](#speed-tried))."
    )


def _sandbox(size: Size) -> str:
    ours, peer = (1e3 * size[side]["median"] / size["size"]["programs"] for side in ("ours", "peer"))
    return (
        f"A program takes {ours:.1f} ms here and {peer:.1f} ms there. Here, it and its tests run in two processes "
        "that exchange values, each forked and confined for this program alone. There, one process with all rights "
        "of its user runs both, beside its manager. Limits without namespaces, and fewer or more programs at a time, "
        "take about as long ([what was tried](#speed-tried))."
    )


def _evaluation(size: Size) -> str:
    return (
        "The answers of the bundled models have similar lengths, so that there is little padding to save. Ours gives "
        "the place of an answer that ends to the next item, for which the keys and values that stay are copied, and "
        "calls the model more often. With answers of different lengths that is what saves time ([generation of a "
        "published model](#speed-generation)). Making room earlier, later or only when all of a batch have ended is no "
        "faster ([what was tried](#speed-tried))."
    )


def _seeking(size: Size) -> str:
    ours, peer = (megabytes(size[side]) for side in ("ours", "peer"))
    return (
        "Both sides make the same passes. Ours goes down the layers with several examples at a time and keeps no "
        f"elementwise sums of other layers. Its peak is {ours:.0f} MB and the peer's {peer:.0f} MB, as it holds the "
        "passes of these examples and the peer those of one; the sums of the peer grow with the layers of the teacher. "
        "With one example at a time ours needs less than the peer, and more time. More examples at a time, and blocks "
        "without windows, take about as long; products of matrices take the same time on both sides ([what was "
        "tried](#speed-tried)). In one profile, of which there is no record, ours was later by its sums in float64, "
        "over windows or over rows and columns: it makes them for every layer and every few examples, the peer once "
        "and for its chosen layers only."
    )


def _cka(size: Size) -> str:
    return (
        "The peer takes the pairs of layers one by one, so that its time grows with the product of the numbers of "
        "layers. Ours makes the kernel matrix of each layer once. With fewer layers there is less to gain."
    )


def _output_loss(size: Size) -> str:
    return (
        f"{size['limit']:.0%} of the time are products with the head, at the speed of a large product, and both sides "
        "need all of them. What parts of the logits save is memory; of cross-entropy, smaller parts take longer ([what "
        "was tried](#speed-tried))."
    )


REASONS: Mapping[str, Callable[[Size], str]] = {
    "alignment_map": _alignment_map,
    "basis": _basis,
    "cka": _cka,
    "evaluation": _evaluation,
    "laten_scores": _laten,
    "output_cross_entropy": _output_loss,
    "output_kl": _output_loss,
    "sandbox": _sandbox,
    "seeking": _seeking,
    "states_read": _states_read,
    "transfer_first": _transfer(0.0),
    "transfer_middle": _transfer(0.5),
    "transfer_last": _transfer(1.0),
}
