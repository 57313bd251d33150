"""Where a model is: in a folder, a GGUF file, the cache, or on the Hugging Face hub. Nothing here loads PyTorch."""

from functools import cache
from pathlib import Path

from semalign import hub
from semalign.errors import nearest
from semalign.models.catalogue import MODELS
from semalign.models.integrity import check_folder
from semalign.paths import model_roots


def known_models() -> list[str]:
    """Return the names of models that are on this machine, and of those that ``semalign fetch`` knows."""
    folders = (path for root in model_roots() if root.is_dir() for path in root.iterdir())
    return sorted({path.name for path in folders if (path / "config.json").is_file()} | set(MODELS))


def locate(name: str | Path) -> str:
    """Return the folder or file that ``name`` stands for, as an absolute path, or the hub id.

    Raises:
        FileNotFoundError: for a name that is not on disk and does not look like a hub id; it says how to get a model.
        ValueError: for an adapter, or a file that is not GGUF.
    """
    if not (text := str(name)).strip():
        raise FileNotFoundError("no model '': give a folder, a .gguf file, the name of a model or a hub id")
    for path in (Path(text).expanduser(), *(root / text for root in model_roots())):
        if path.exists():
            return _checkpoint_in(path.absolute())  # an adapter names its base, in whatever folder it is read
    if text.count("/") == 1 and not text.startswith((".", "~", "/")):
        return text
    raise FileNotFoundError(f"no model {text!r}{_instead(text)}")


def record_name(name: str | Path) -> str:
    """Return what records call a model: the last part of where it is; errors as for :func:`locate`."""
    return Path(locate(name)).name.removesuffix(".gguf")


def _instead(name: str) -> str:
    """Return what to say of a name that stands for no model: the nearest one that does, or how to get one."""
    if name in MODELS:
        return f" on this machine: `semalign fetch {name}` gets it"
    if "/" not in name and (near := nearest(name, known_models())):
        return near
    places = " or ".join(map(str, model_roots()))
    return (
        f": it is not a folder, and not in {places}; `semalign fetch NAME` gets {' or '.join(MODELS)}, or a model of "
        "the hub by its id, and `semalign pretrain` makes the micro family again"
    )


def _checkpoint_in(path: Path) -> str:
    """Return the GGUF file of a folder that has one and no ``config.json``, else the folder."""
    if path.is_file() and path.suffix != ".gguf":
        raise ValueError(f"{path} is a file: give the folder that holds the model, or a .gguf file")
    if path.is_dir() and not (path / "config.json").exists():
        if (path / "adapter_config.json").is_file():
            check_folder(path)  # raises, and says what to pass
        checkpoints = sorted(path.glob("*.gguf"))
        if len(checkpoints) != 1:
            raise FileNotFoundError(f"{path} holds no model: neither config.json nor a single .gguf file")
        return str(checkpoints[0])
    return str(path)


def cached_folder(source: str | Path) -> Path | None:
    """Return the folder that holds a model's files: itself, or the hub's newest on this machine; None without one."""
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = None if Path(source).exists() else try_to_load_from_cache(str(source), "config.json")
    except HFValidationError:  # the name of a model that was made in memory
        found = None
    return Path(found).parent if isinstance(found, str) else None


def check_name(name: str | Path) -> None:
    """Make sure that there is a model of this name, on this machine or on the hub.

    Raises:
        FileNotFoundError: if there is none; see :func:`locate` and :func:`check_hub`.
    """
    if not Path(source := locate(name)).exists():
        check_hub(source)


def check_hub(name: str) -> None:
    """Make sure that the hub, or its cache on this machine, has a model.

    The hub is asked even if its cache has files of the model: whether it can be reached must be known before
    transformers asks for each of them.

    Raises:
        FileNotFoundError: if neither has it; it says how to get it.
    """
    refusal = _refusal(name)
    if refusal is not None and cached_folder(name) is None:
        raise hub.no_model(name, refusal) from refusal


@cache
def _refusal(name: str) -> hub.HubError | None:
    """Return why the hub does not give a model; None if it does."""
    return hub.refusal(lambda api, seconds: api.model_info(name, timeout=seconds))
