"""Where a model lies on this machine, without asking the hub."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.errors import LocalEntryNotFoundError

from semalign.models.located import locate


def folder_of(name: str | Path) -> Path:
    """Return the folder of a model, or its GGUF file; that of a hub id is in the hub's cache.

    Raises:
        FileNotFoundError: if it is not there; it says how to get it.
        ValueError: see :func:`semalign.models.located.locate`.
    """
    found = locate(name)
    if Path(found).exists():
        return Path(found)
    try:
        return Path(snapshot_download(found, local_files_only=True))
    except LocalEntryNotFoundError as error:
        raise FileNotFoundError(
            f"not in the hub's cache, {HF_HUB_CACHE}: run `hf download {found}` where there is a network, and copy the "
            "cache, or set HF_HOME to the folder that has it"
        ) from error
