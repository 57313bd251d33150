"""How far a student's weights have moved: the norm of their change over their own norm."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.utils.integrations import dequantize_module_weight
from torch import Tensor
from transformers import PreTrainedModel


@torch.no_grad()
def weight_change(adapted: PreTrainedModel | PeftModel, original: Callable[[], PreTrainedModel]) -> float | None:
    """Return ``‖ΔW‖ / ‖W‖``, both Frobenius norms over all matrices that were changed together.

    With LoRA, ΔW is the update ``scale · B A`` of the adapted matrices, merged for this purpose one at a time, and W
    their weights without it. A plain model is compared with the original: W are its parameters that differ from it. One
    that is new, or has another shape, counts as changed from zero.

    Args:
        adapted: the adapted student.
        original: returns the student before; called only if the adapted one is a plain model.

    Returns:
        The ratio; 0 if nothing has changed, None if all that has changed was zero.
    """
    pairs = _of_lora(adapted) if isinstance(adapted, PeftModel) else _of_weights(adapted, original())
    changed = whole = 0.0
    for change, weight in pairs:
        changed += _square(change)
        whole += _square(weight)
    if not changed:
        return 0.0
    return math.sqrt(changed / whole) if whole else None


def _of_lora(adapted: PeftModel) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the update and the weight of each adapted matrix."""
    for module in adapted.modules():
        if isinstance(module, LoraLayer):
            layer: Any = module  # every kind of layer has its own `get_delta_weight`
            updates = [layer.get_delta_weight(name) for name in layer.active_adapters if name in layer.lora_A]
            yield torch.stack(updates).sum(0), dequantize_module_weight(layer.get_base_layer())


def _of_weights(adapted: PreTrainedModel, original: PreTrainedModel) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the change and the original of each parameter that differs."""
    known = dict(original.named_parameters(remove_duplicate=False))  # a tied head too, which may be untied now
    for name, parameter in adapted.named_parameters():
        same = name in known and known[name].shape == parameter.shape
        before = known[name].to(parameter) if same else torch.zeros_like(parameter)
        if not torch.equal(parameter, before):
            yield parameter - before, before


def _square(numbers: Tensor) -> float:
    return torch.linalg.vector_norm(numbers, dtype=torch.float64).item() ** 2
