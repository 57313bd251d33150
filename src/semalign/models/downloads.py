"""Models on the Hugging Face hub, brought whole to its cache on this machine."""

from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import snapshot_download

from semalign import hub
from semalign.errors import folded, one_line

SMALL_FILES = ("*.json", "*.model", "*.txt", "*.jinja", "LICENSE*")
WEIGHTS = ("model*.safetensors", "*.safetensors", "pytorch_model*.bin")  # the last are read as weights only


def download(name: str) -> Path:
    """Download what is missing of a model on the hub and return its folder in the hub's cache.

    Of several forms of the weights only one is taken, the first of :data:`WEIGHTS` that there is.

    Args:
        name: the model's id on the hub.

    Raises:
        ConnectionError: if the hub does not give it.
    """
    try:
        info = hub.ask(lambda api, seconds: api.model_info(name, timeout=seconds))
        files = [file.rfilename for file in info.siblings or [] if "/" not in file.rfilename]
        forms = ([file for file in files if fnmatch(file, form)] for form in WEIGHTS)
        weights = next((form for form in forms if form), [])
        return Path(snapshot_download(name, allow_patterns=[*SMALL_FILES, *weights]))
    except Exception as error:  # any error of the hub, a missing permission included
        raise ConnectionError(
            f"the Hugging Face hub does not give the model {name}: {folded(one_line(error), 300)}"
        ) from error
