"""Load a causal language model and its tokenizer from a folder, a GGUF file, the cache or the Hugging Face hub."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from semalign.data.messages import rendered
from semalign.data.rows import Example, encode
from semalign.data.tokens import Encoder
from semalign.models import processes
from semalign.models.devices import chosen_place
from semalign.models.evaluating import plain_torch
from semalign.models.finite import check_weights
from semalign.models.located import check_name, locate
from semalign.models.offload import hold_ends, shared_maps
from semalign.models.pretrained import load_network, load_tokenizer

Network = TypeVar("Network", bound=nn.Module)


class LanguageModel(NamedTuple):
    """A causal language model with its tokenizer; unpacks as ``model, tokenizer``."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def name(self) -> str:
        """Short name for records: the last part of where the model came from."""
        return Path(self.model.config.name_or_path or type(self.model).__name__).name

    @property
    def context_length(self) -> int:
        """Number of tokens that the model can read at once."""
        return self.model.config.get_text_config().max_position_embeddings

    @property
    def encoder(self) -> Encoder:
        """The encoder of texts for this model."""
        return Encoder(self.tokenizer, len(self.model.get_input_embeddings().weight))  # type: ignore[arg-type]

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> list[Example]:
        """Return rows as this model reads them; conversations are rendered by its own chat template.

        Args:
            rows: rows of prompt and response, or of messages, none longer than the context.

        Raises:
            ValueError: see :func:`semalign.data.messages.rendered` and :func:`semalign.data.rows.encode`.
        """
        return encode(rendered(rows, self.tokenizer), self.encoder, self.context_length)


def unwrap(model: PreTrainedModel | LanguageModel) -> tuple[PreTrainedModel, PreTrainedTokenizerBase | None]:
    """Return ``(model, tokenizer)``; the tokenizer is None where only a transformers model was given.

    Raises:
        ValueError: for anything else, such as the name of a model.
    """
    if not isinstance(model, LanguageModel | nn.Module):
        raise ValueError(f"expected a model, as semalign.load_model returns it, and got {type(model).__name__}")
    return (model.model, model.tokenizer) if isinstance(model, LanguageModel) else (model, None)


def shared_copy(model: Network) -> Network:
    """Return a copy in evaluation mode; its parameters share the model's memory and need no gradient."""
    frozen = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()}
    return deepcopy(model, {**frozen, **shared_maps(model)}).eval()


def loaded(model: str | Path | LanguageModel) -> LanguageModel:
    """Return the model itself if it is loaded already, else load it by name."""
    check_given(model)
    return model if isinstance(model, LanguageModel) else load_model(model)


def check_given(model: object) -> None:
    """Make sure, without loading it, that a model is a :class:`LanguageModel`, or the name or path of one.

    Raises:
        ValueError: for anything else; it says what to pass.
        FileNotFoundError: see :func:`semalign.models.located.check_name`.
    """
    if isinstance(model, str | Path):
        check_name(model)
    elif isinstance(model, tuple) and len(model) == 2 and not isinstance(model, LanguageModel):
        raise ValueError("a model with its tokenizer must be a LanguageModel: pass LanguageModel(*pair)")
    elif isinstance(model, nn.Module):
        raise ValueError(
            f"a {type(model).__name__} comes without its tokenizer: pass LanguageModel(model, tokenizer), or the name "
            "or folder of the model"
        )
    elif not isinstance(model, LanguageModel):
        raise ValueError(f"a model is a LanguageModel, a name or a path, not {type(model).__name__}")


@plain_torch(gradients=True)
def load_model(
    name: str | Path,
    *,
    dtype: torch.dtype | str | None = None,
    device: str | torch.device | None = None,
    device_map: str | Mapping[str, Any] | None = None,
    layers: int | None = None,
) -> LanguageModel:
    """Load a causal language model in evaluation mode.

    Args:
        name: a folder in the format of transformers, a ``.gguf`` file, the name of a bundled model
            (``micro-student``) or fetched (``smollm2-135m``), or an id on the Hugging Face hub.
        dtype: floating-point type, ``"auto"`` for the checkpoint's own. Where neither this nor the process names one
            (:mod:`semalign.models.placement`), float32 on a CPU and the checkpoint's own type elsewhere.
        device: where the model goes; by default as the process says, else a GPU if there is one.
        device_map: how the layers are spread over devices, CPU and disk, instead of one device: ``"auto"`` or another
            way of transformers, or a mapping from names of modules to devices.
        layers: how many decoder layers to read, from the first; by default all. Files that hold only later layers are
            not opened. A GGUF file, and a model with a device map, is always read whole.

    Raises:
        FileNotFoundError: if there is no such model; it says how to get it.
        ValueError: for a model that is not whole (:mod:`semalign.models.integrity`), holds NaN or infinity, is no
            causal language model, or needs code of its own; if there is no such type or device; for a GGUF file with
            a device map.
    """
    if isinstance(name, LanguageModel):
        raise ValueError("this LanguageModel is loaded already: pass it on as it is")
    check_given(name)
    processes.start()  # each process has a GPU of its own
    place = chosen_place(dtype, device, device_map)
    source = locate(name)
    if source.endswith(".gguf"):
        from semalign.models.gguf import load_gguf

        if place.device_map is not None:
            raise ValueError(f"{source}: a GGUF file goes to one device: give a device instead of a device map")
        loaded = LanguageModel(*load_gguf(source, place.dtype or torch.float32))
    else:
        network = load_network(source, place.dtype, place.device_map, layers=layers)
        loaded = LanguageModel(network, load_tokenizer(source))
    if place.device is None:
        hold_ends(loaded.model)
    else:
        loaded.model.to(place.device)  # type: ignore[arg-type]
    loaded.model.eval()
    check_weights(loaded.model, source)
    return loaded
