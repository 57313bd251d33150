"""Why steps fall short of their marks, where they do: words from here, numbers from the records."""

from collections.abc import Callable, Mapping
from typing import Any

Size = Mapping[str, Any]  # the measurement of one size

EPOCHS = 5  # of a transfer that is measured


def why(step: str, size: Size) -> str:
    """Return why a step falls short of its mark.

    Args:
        step: name of the step.
        size: what its record says of its largest size.
    """
    return REASONS[step](size) if step in REASONS else "not explained yet"


def transfer_bound(size: Mapping[str, int], part: float) -> float:
    """Return how many times fewer operations a transfer takes than a loop that runs both models whole in every step.

    A token takes two operations for each parameter that it passes, and as many again backwards. The loop takes both
    models with their heads, and goes back through the student from its end to the trained layer. Ours takes the layers
    up to both chosen ones once, and in every epoch the student's layers from the trained one on, and back; its loss
    needs no logits. Attention, norms and LoRA are left out.

    Args:
        size: ``width`` and ``layers`` of the student, and ``vocabulary``; the teacher has a third more width and a
            quarter more layers.
        part: depth of both layers, from 0 for the first to 1 for the last.
    """
    width, layers = size["width"], size["layers"]
    wide, many = width * 4 // 3, layers * 5 // 4
    upper, k = (1 + round(part * (number - 1)) for number in (many, layers))
    rest, head = (layers - k + 1) * _layer(width), size["vocabulary"] * width
    whole = 2 * (many * _layer(wide) + size["vocabulary"] * wide + layers * _layer(width) + head) + 2 * (rest + head)
    once = 2 * (upper * _layer(wide) + (k - 1) * _layer(width))
    return whole / (once / EPOCHS + 4 * rest)


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
            f"Counted in operations, {transfer_bound(size['size'], part):.1f} is the most at this size and {EPOCHS} "
            "epochs: the passes through the teacher and through the student's layers below the trained one are made "
            "once instead of in every epoch, and for a late layer they are most of the time. What remains in every "
            "step are the trained layer and all behind it, forward and backward, and operations on small matrices, "
            "which reach less of the processor's speed than large ones."
        )

    return reason


def _alignment_map(size: Size) -> str:
    return (
        f"Counted in operations, {map_bound(size['size']):.2f} is the most: the product of the vectors comes to those "
        "of both bases. What was tried to save others is below, under what to know of some steps."
    )


def _basis(size: Size) -> str:
    return (
        f"Products of rows take {size['limit']:.0%} of the time at the speed of a large product. The rest goes into "
        "work in float64 on D x D matrices, the check that float32 is enough, and the fingerprint of the head."
    )


def _sandbox(size: Size) -> str:
    ours, peer = (1e3 * size[side]["median"] / size["size"]["programs"] for side in ("ours", "peer"))
    return (
        f"A program takes {ours:.1f} ms here and {peer:.1f} ms there. Here, it and its tests run in two processes "
        "that exchange values, each forked and confined for this program alone. There, one process with all rights "
        "of its user runs both, beside its manager. Namespaces are no large part of it: `--sandbox limits`, which "
        "has none, takes about as long."
    )


def _evaluation(size: Size) -> str:
    return (
        "The answers of the bundled models have similar lengths, so that there is little padding to save. Ours gives "
        "the place of an answer that ends to the next item: more steps of the model, each with fewer rows, and "
        "copies of the keys and values that stay. With answers of different lengths that is what saves time "
        "(see below, generation of a published model)."
    )


def _seeking(size: Size) -> str:
    return (
        "Both sides make the same passes. Without elementwise sums in memory, the sums of windows are made for every "
        "layer and every few examples, and not once for the layers that are chosen: a cost for each weight, beside "
        "the operations for each weight and token of the passes, so that it falls with longer texts. More examples "
        "at a time, and products in float32 instead of float64, changed nothing that could be measured."
    )


def _output_loss(size: Size) -> str:
    return "Nearly all of the time are products with the head, which both sides need."


REASONS: Mapping[str, Callable[[Size], str]] = {
    "alignment_map": _alignment_map,
    "basis": _basis,
    "evaluation": _evaluation,
    "output_cross_entropy": _output_loss,
    "output_kl": _output_loss,
    "sandbox": _sandbox,
    "seeking": _seeking,
    "transfer_first": _transfer(0.0),
    "transfer_middle": _transfer(0.5),
    "transfer_last": _transfer(1.0),
}
