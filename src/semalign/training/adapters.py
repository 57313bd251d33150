"""Training on top of a student's LoRA adapter; the result is one adapter of the base model that holds both."""

from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel

from semalign.models.adapters import FURTHER
from semalign.models.loading import LanguageModel, shared_copy
from semalign.models.precision import wide_model
from semalign.training.lora import Factors, plain_lora


def split_adapter(student: LanguageModel) -> tuple[LanguageModel, PeftModel | None]:
    """Return the student as a plain model, with its adapter merged into a copy, and the original PEFT model if any.

    The copy shares all weights that the adapter does not change. Of a student in half precision it is in float32, since
    half precision would round most of a small change away. The student itself is not changed.

    Raises:
        ValueError: for an adapter other than plain LoRA, because it cannot be combined with a second one.
    """
    adapted = student.model
    if not isinstance(adapted, PeftModel):
        return student, None
    _check_plain(adapted)
    copy = wide_model(shared_copy(adapted))
    merged = copy.merge_and_unload(safe_merge=True)  # writes new tensors, so the shared weights stay unchanged
    return LanguageModel(merged.requires_grad_(False).eval(), student.tokenizer), adapted


def stack_adapters(carried: PeftModel, adapted: PreTrainedModel | PeftModel) -> PreTrainedModel | PeftModel:
    """Return one adapter of the student's base model that holds the student's adapter and the new one.

    ``W + s1 B1 A1 + s2 B2 A2 = W + [s1 B1, s2 B2] [A1; A2]`` holds exactly, and the ranks add up. A plain model, which
    a method that changes weights returns, already contains both and is returned unchanged.

    Args:
        carried: the student with the adapter that it had before the transfer.
        adapted: result of the transfer on the student with this adapter merged.
    """
    if not isinstance(adapted, PeftModel):
        return adapted
    both = _factors(carried)
    for name, factors in _factors(adapted).items():
        both[name] = both[name].plus(factors) if name in both else factors
    base = shared_copy(carried).unload()
    return plain_lora(base, both)


def _factors(model: PeftModel) -> dict[str, Factors]:
    """Return the factors of each adapted matrix by its name in the base model; the left factor contains the scale."""
    found = {}
    base: PreTrainedModel = model.get_base_model()  # type: ignore[assignment]
    for name, module in base.named_modules():
        if isinstance(module, LoraLayer):
            key = module.active_adapters[0]
            a, b = (base.get_parameter(f"{name}.lora_{part}.{key}.weight").detach() for part in "AB")
            found[name] = Factors(module.scaling[key] * b, a)
    return found


def _check_plain(model: PeftModel) -> None:
    config, active = model.active_peft_config, model.active_adapters
    plain = config.peft_type == "LORA" and getattr(config, "bias", "none") == "none"
    further = [name for name in FURTHER if getattr(config, name, None)]
    adapted = [module for module in model.modules() if isinstance(module, LoraLayer)]
    if not plain or further or len(active) != 1 or not all(active[0] in module.lora_A for module in adapted):
        raise ValueError(
            "a transfer continues from exactly one plain LoRA adapter (no DoRA, no biases, no modules_to_save, no "
            "tokens or embeddings): merge this one into the model first, with merge_and_unload()"
        )
