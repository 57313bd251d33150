"""An LM head that gives float32 logits: in half precision, choices of about the same likelihood would tie."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from semalign.models.precision import wide, wide_type


@contextmanager
def wide_head(model: PreTrainedModel) -> Iterator[None]:
    """Let the LM head of a half-precision model compute in float32 inside the block, from states as the model has them.

    bfloat16 has 8 significant bits, so that its logits between 16 and 32 are multiples of 1/8. The head's own weight
    stays as it is, and is widened in each call. A head that is no matrix, such as a quantised one, is left alone.

    Args:
        model: a causal language model; a device map may spread it.
    """
    found = model.get_output_embeddings()
    head = getattr(found, "base_layer", found)  # an adapter may be around it
    if not isinstance(head, nn.Linear) or head.weight.dtype == wide_type(head.weight.dtype):
        yield
        return
    name = "_old_forward" if hasattr(head, "_old_forward") else "forward"  # what accelerate's hook calls, with weights
    own = head.__dict__.get(name)
    setattr(head, name, lambda states: _logits(head, states))
    try:
        yield
    finally:
        delattr(head, name) if own is None else setattr(head, name, own)


def _logits(head: nn.Linear, states: Tensor) -> Tensor:
    return functional.linear(wide(states), wide(head.weight), None if head.bias is None else wide(head.bias))
