"""Training on top of a student's LoRA adapter; the result is one adapter of the base model that holds both."""

from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel

from semalign.models.adapter_base import without_adapter
from semalign.models.adapters import FURTHER, changes_base, shared_targets
from semalign.models.integrity import listed
from semalign.models.loading import LanguageModel, shared_copy
from semalign.models.precision import wide_model
from semalign.models.remembered import Facts, facts_of
from semalign.models.source import ModelSource
from semalign.training.lora import Factors, plain_lora

MERGE = "merge it into the model with merge_and_unload(), save that with save_pretrained(), and give its folder"


def split_adapter(student: LanguageModel) -> tuple[LanguageModel, PeftModel | None]:
    """Return the student as a plain model, with its adapter merged into a copy, and the original PEFT model if any.

    The copy shares all weights that the adapter does not change. Of a student in half precision it is in float32, since
    half precision would round most of a small change away. The student itself is not changed.

    Raises:
        ValueError: for an adapter that cannot be combined with a second one: other than plain LoRA, of a base that its
            initialisation has changed, on a weight that two modules share, or put on without a PEFT model.
    """
    adapted = student.model
    if not isinstance(adapted, PeftModel):
        _check_bare(student)
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
    return plain_lora(without_adapter(carried), both)


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


def base_facts(student: ModelSource, carried: PeftModel | None) -> Facts:
    """Return identity and types of the model that a saved adapter is put on: the student without its own adapter."""
    if carried is None:
        return student.facts
    return facts_of(LanguageModel(without_adapter(carried), student.outline.tokenizer))


def _check_bare(student: LanguageModel) -> None:
    """Raise ``ValueError`` for adapters of transformers, which are inside the model: a new one would replace them."""
    if any(isinstance(module, BaseTunerLayer) for module in student.model.modules()):
        raise ValueError(
            f"{student.name} holds an adapter that add_adapter() or load_adapter() has put in: give it as a PeftModel, "
            "which PeftModel.from_pretrained(base, folder) returns"
        )


def _check_plain(model: PeftModel) -> None:
    config, active = model.active_peft_config, model.active_adapters
    plain = config.peft_type == "LORA" and getattr(config, "bias", "none") == "none"
    further = [name for name in FURTHER if getattr(config, name, None)]
    adapted = [module for module in model.modules() if isinstance(module, LoraLayer)]
    if not plain or further or len(active) != 1 or not all(active[0] in module.lora_A for module in adapted):
        raise ValueError(
            "a transfer continues from exactly one plain LoRA adapter (no DoRA, no biases, no modules_to_save, no "
            f"tokens or embeddings): {MERGE}"
        )
    if changes_base(started := getattr(config, "init_lora_weights", None)):
        raise ValueError(
            f"this adapter was initialised by {started}, which changes the base model, and the result would not fit "
            f"the original: {MERGE}"
        )
    if shared := shared_targets(model):
        raise ValueError(
            f"this adapter changes {listed(shared)}, whose weight is tied to that of another module: train an adapter "
            "of other modules, or of a base without tied weights"
        )
