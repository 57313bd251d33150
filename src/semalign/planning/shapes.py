"""The numbers of a model that memory and work depend on, from its configuration and a model without weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from huggingface_hub import try_to_load_from_cache
from transformers import AutoModelForCausalLM, LlamaConfig, PretrainedConfig

from semalign.models.architecture import Architecture
from semalign.models.located import locate
from semalign.models.pretrained import load_config
from semalign.planning.left_out import UnplannedError
from semalign.planning.saved import saved_by_mlp
from semalign.yaml_text import read_mapping

TABLE = Path(__file__).with_name("table3.yaml")


@dataclass(frozen=True)
class Shapes:
    """The numbers of one model.

    Attributes:
        name: name of the model.
        source: where the numbers come from.
        layers: number of decoder layers, L.
        width: width of the residual stream, D.
        mlp: number of neurons of an MLP, F.
        saved: numbers of an MLP that a backward pass needs of each token; see :func:`.saved_by_mlp`.
        heads: number of query heads; ``kv_heads`` of keys and values; ``head_width`` channels each.
        kv_heads: see ``heads``.
        head_width: see ``heads``.
        vocabulary: rows of the LM head, V.
        context: tokens that the model can read.
        matrices: outputs and inputs of each matrix of a layer, by path.
        lora: the paths that the paper adapts.
        layer_parameters: parameters of a layer.
        parameters: parameters of the model.
        dtype: type of the checkpoint.
    """

    name: str
    source: str
    layers: int
    width: int
    mlp: int
    saved: int
    heads: int
    kv_heads: int
    head_width: int
    vocabulary: int
    context: int
    matrices: Mapping[str, tuple[int, int]]
    lora: tuple[str, ...]
    layer_parameters: int
    parameters: int
    dtype: torch.dtype

    @property
    def query(self) -> int:
        """Channels of all query heads together."""
        return self.heads * self.head_width

    @property
    def matrix_parameters(self) -> int:
        """Parameters of the matrices of a layer; each takes part in one product and one sum for every token."""
        return sum(outputs * inputs for outputs, inputs in self.matrices.values())

    def lora_parameters(self, rank: int, paths: tuple[str, ...] | None = None) -> int:
        """Return the parameters of LoRA on some matrices of one layer, by default those of the paper."""
        return rank * sum(sum(self.matrices[path]) for path in paths or self.lora)


@cache
def shapes_of(name: str) -> Shapes:
    """Return the numbers of a model: of its configuration on this machine, else of the packaged copy of Table 3.

    Raises:
        FileNotFoundError: if there is neither; it says how to get the configuration.
        UnplannedError: for a GGUF file, or a mixture of experts.
        ValueError: for a configuration that cannot be read.
    """
    folder = configured_folder(name)
    if folder is not None:
        return from_config(load_config(folder), name, "its configuration")
    known = read_mapping(TABLE)
    if name not in known:
        raise FileNotFoundError(
            f"no configuration of {name!r} on this machine: `hf download {name} config.json` gets it where there is "
            "internet access"
        )
    return from_config(_llama(**known[name]), name, "Table 3")


def configured_folder(name: str) -> Path | None:
    """Return the folder that has the configuration of a model; None for a model of the hub that is not here."""
    found = Path(locate(name))
    if found.suffix == ".gguf" and found.is_file():
        told = f"{found}: a plan reads config.json, and a GGUF file has none: give the folder of the model"
        raise UnplannedError(told)
    if found.exists():
        return found
    cached = try_to_load_from_cache(name, "config.json")
    return Path(cached).parent if isinstance(cached, str) else None


def _llama(heads: int, layers: int, width: int, vocabulary: int, mlp: int, context: int) -> PretrainedConfig:
    return LlamaConfig(
        hidden_size=width,
        intermediate_size=mlp,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        vocab_size=vocabulary,
        max_position_embeddings=context,
        dtype="float16",
    )


def from_config(config: PretrainedConfig, name: str, source: str = "its configuration") -> Shapes:
    """Return the numbers of a model with a configuration; the model is made without memory for its weights.

    Raises:
        UnplannedError: for a mixture of experts.
        ValueError: for an architecture without a layout.
    """
    if getattr(config.get_text_config(), "num_experts_per_tok", None):
        told = f"{name} is a mixture of experts, whose experts a plan does not count: measure a short run"
        raise UnplannedError(told)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    architecture, text = Architecture(model), config.get_text_config()
    layer, layout = architecture.layer(1), architecture.layout
    weights = {path: layer.get_submodule(path).get_parameter("weight") for path in layout.matrices}
    heads = text.num_attention_heads
    return Shapes(
        name=name,
        source=source,
        layers=architecture.n_layers,
        width=architecture.width,
        mlp=getattr(text, "intermediate_size", None) or 4 * architecture.width,
        saved=saved_by_mlp(architecture),
        heads=heads,
        kv_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_width=getattr(text, "head_dim", None) or architecture.width // heads,
        vocabulary=len(architecture.head_weight),
        context=text.max_position_embeddings,
        matrices={path: (weight.shape[0], weight.shape[1]) for path, weight in weights.items()},
        lora=layout.lora,
        layer_parameters=sum(p.numel() for p in layer.parameters()),
        parameters=sum(p.numel() for p in model.parameters()),
        dtype=config.dtype if isinstance(config.dtype, torch.dtype) else torch.float32,
    )
