"""The outline of a model: all that a method asks before any work, from configuration and tokenizer, without weights."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.modeling_utils import get_state_dict_dtype, load_state_dict

from semalign.models import processes
from semalign.models.devices import chosen_place
from semalign.models.evaluating import plain_torch
from semalign.models.gguf import gguf_outline
from semalign.models.integrity import weight_files
from semalign.models.loading import LanguageModel
from semalign.models.located import cached_folder, locate
from semalign.models.pretrained import load_config, load_tokenizer, readable


@plain_torch(gradients=False)
def outline_of(name: str | Path) -> LanguageModel:
    """Return a model as :func:`semalign.load_model` does, but on the ``meta`` device: shapes and types, no numbers.

    Raises:
        FileNotFoundError: if there is no such model.
        ValueError: for files that hold no causal language model.
    """
    processes.start()  # each process has a GPU of its own
    source = locate(name)
    dtype = chosen_place().dtype
    if source.endswith(".gguf"):
        config, tokenizer = gguf_outline(Path(source))
        return LanguageModel(_empty(config, dtype or torch.float32), tokenizer)
    config = load_config(source)
    with readable(source):
        network = _empty(config, dtype or config.dtype or _type_on_disk(source))  # type: ignore[arg-type]
    network.config.name_or_path = network.name_or_path = source
    return LanguageModel(network, load_tokenizer(source))


def _empty(config: PretrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    return network.eval()


def _type_on_disk(source: str) -> torch.dtype:
    """Return the type of the first floating-point weight, which transformers takes where a configuration names none."""
    folder = cached_folder(source)
    if folder is None:
        return torch.float32
    return get_state_dict_dtype(load_state_dict(str(folder / weight_files(folder)[0]), map_location="meta"))
