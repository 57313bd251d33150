"""Where a model comes from: the caller's memory, or files that are read when their weights are needed.

Both kinds answer the same questions. What the configuration and the tokenizer tell needs no weights: it is asked of
the outline. Identity and types are remembered (:mod:`semalign.models.remembered`).
"""

import gc
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from semalign.data.rows import Example
from semalign.models.architecture import Architecture
from semalign.models.devices import chosen_place
from semalign.models.finite import check_weights
from semalign.models.heads import head_of, keep_head, kept_head
from semalign.models.loading import LanguageModel, check_given, load_model
from semalign.models.offload import spread
from semalign.models.outline import outline_of
from semalign.models.remembered import Facts, facts_of, file_stamp, remembered


class GivenModel:
    """A model that the caller holds in memory, and that stays there.

    Args:
        model: the model.

    Attributes:
        outline: the model itself.
        examples: rows that it has encoded, by prompt and response.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.outline = model
        self.examples: dict[tuple[str, str], Example] = {}

    @cached_property
    def facts(self) -> Facts:
        """Identity and types of the model, as it is when this is first asked."""
        return facts_of(self.outline)

    @property
    def in_memory(self) -> LanguageModel:
        """The model."""
        return self.outline

    @property
    def spread(self) -> bool:
        """Whether a device map spreads the model."""
        return spread(self.outline.model)

    def check(self) -> None:
        """Raise :class:`semalign.models.finite.NotFiniteError` if a weight is NaN or infinity."""
        check_weights(self.outline.model, self.outline.name)

    def load(self, layers: int | None = None) -> LanguageModel:
        """Return the model."""
        return self.outline

    def head(self) -> LanguageModel:
        """Return the model."""
        return self.outline

    def release(self) -> None:
        """Do nothing: the model is the caller's."""


class FiledModel:
    """A model on disk, of which no more is in memory than what was asked for.

    Args:
        name: what :func:`semalign.load_model` takes.

    Attributes:
        examples: rows that it has encoded, by prompt and response.

    Raises:
        FileNotFoundError: if there is no such model.
        ValueError: see :func:`semalign.models.loading.check_given`.
    """

    def __init__(self, name: str | Path) -> None:
        check_given(name)
        self.name = name
        self.examples: dict[tuple[str, str], Example] = {}
        self._model: LanguageModel | None = None
        self._stamp: list | None = None  # of the files whose identity is known

    @cached_property
    def outline(self) -> LanguageModel:
        """The model on the ``meta`` device: shapes, types, configuration and tokenizer, no weights."""
        return outline_of(self.name)

    @cached_property
    def facts(self) -> Facts:
        """Identity and types of the model; its weights are read if they are not known of these files.

        Its head is then kept too, and the weights are given back.
        """
        was_loaded, stamp = self._model is not None, file_stamp(self.name)
        facts = remembered(self.name, self.load)
        self._stamp = stamp or file_stamp(self.name)  # the weights may have been downloaded just now
        if self.in_memory is not None:
            keep_head(self.in_memory, facts.identity)
        if not was_loaded:
            self.release()
        return facts

    @property
    def in_memory(self) -> LanguageModel | None:
        """The model if all of it is in memory, else None."""
        return self._model if self._held == self._n_layers else None

    @property
    def spread(self) -> bool:
        """Whether a device map spreads the model."""
        return chosen_place().device_map is not None

    def check(self) -> None:
        """Do nothing: weights are checked whenever they are loaded."""

    def load(self, layers: int | None = None) -> LanguageModel:
        """Return the model, or its first ``layers`` layers with embeddings, final norm and head.

        What is in memory is returned if it is enough; otherwise it is given back first.
        """
        if self._model is None or self._held < min(layers or self._n_layers, self._n_layers):
            self.release()
            model = load_model(self.name, layers=layers)
            if self._stamp is not None and self._stamp != file_stamp(self.name):
                raise ValueError(f"the files of {self.name} have changed since this run began: run again")
            self._model = model
        return self._model

    @property
    def _n_layers(self) -> int:
        return Architecture(self.outline.model).n_layers

    @property
    def _held(self) -> int:
        """Number of layers in memory."""
        return 0 if self._model is None else Architecture(self._model.model).n_layers

    def head(self) -> LanguageModel:
        """Return the model with numbers in final norm and head only, all else on the ``meta`` device."""
        identity = self.facts.identity
        # A device map decides where the head is when the model is loaded.
        found = None if self.spread else kept_head(self.outline, identity, chosen_place().main_device)
        if found is not None:
            return found
        was_loaded, found = self._model is not None, head_of(self.outline, self.load(1))
        keep_head(found, identity, replace=True)  # what is kept is absent or damaged
        if not was_loaded:
            self.release()
        return found

    def release(self) -> None:
        """Give the memory of the weights back; the next :meth:`load` reads them again."""
        if self._model is not None:
            self._model = None
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


ModelSource = GivenModel | FiledModel
Model = str | Path | LanguageModel | ModelSource


def source_of(model: Any) -> ModelSource:
    """Return the source of a model that is given in any form; ``ValueError`` for what is none."""
    if isinstance(model, GivenModel | FiledModel):
        return model
    check_given(model)
    return GivenModel(model) if isinstance(model, LanguageModel) else FiledModel(model)


def check_comparable(source: ModelSource) -> None:
    """Make sure that a method can compute with the weights of different layers, without reading them.

    Raises:
        ValueError: for a model that is quantised, or that a device map spreads.
    """
    name, config = source.outline.name, source.outline.model.config
    if source.spread:
        raise ValueError(f"a device map spreads {name}, and this method compares weights of its layers: give a device")
    if getattr(config, "quantization_config", None) is not None:
        raise ValueError(f"{name} is quantised, and this method computes with weights: take the original model")
