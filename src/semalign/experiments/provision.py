"""The models and data that a profile needs: fetch them with a network, verify without one that they are there."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from semalign.data import sources
from semalign.experiments.named_inputs import Split, models_of, splits_of
from semalign.experiments.profiles import Profile
from semalign.files import atomic_path
from semalign.hub import HubError
from semalign.models.downloads import download
from semalign.models.integrity import check_folder
from semalign.models.located import locate
from semalign.models.on_disk import folder_of
from semalign.models.pretrained import load_config, load_tokenizer
from semalign.models.published import MODELS, fetch, is_complete
from semalign.paths import cache_dir

logger = logging.getLogger(__name__)


def fetch_profile(profile: Profile) -> None:
    """Fetch the models of a profile into the hub's cache and its data into semalign's cache, which is a data root.

    Raises:
        ConnectionError: for the first model or split that is not on this machine and that the hub does not give.
    """
    for name in models_of(profile):
        logger.info("model %s", name)
        _fetch_model(name)
    for split in splits_of(profile):
        logger.info("data %s", split)
        _fetch_split(split)


def _fetch_model(name: str) -> None:
    if name in MODELS:
        fetch(name)
    elif not Path(locate(name)).exists():  # it is an id on the hub
        download(name)


def _fetch_split(split: Split) -> None:
    try:
        sources.locate(*split)
        return
    except FileNotFoundError:
        pass
    try:
        rows = sources.hub_rows(*split)
    except HubError as error:
        raise ConnectionError(f"the Hugging Face hub does not give the data {split}: {error}") from error
    target = cache_dir() / "data" / split.dataset / (split.config or "") / f"{split.split}.jsonl"
    with atomic_path(target) as temporary:
        temporary.write_text(sources.jsonl(rows), encoding="utf-8")


def verify(profile: Profile, models: bool = True, data: bool = True) -> dict[str, str]:
    """Return all models and splits of a profile with what is wrong with each, or an empty string; without a network."""
    checked = {f"model {name}": _problem(check_model, name) for name in models_of(profile)} if models else {}
    return checked | ({f"data {split}": _problem(_check_split, split) for split in splits_of(profile)} if data else {})


def check_provided(profile: Profile, models: bool = True, data: bool = True) -> None:
    """Make sure, without a network, that the models and the data of a profile are there and whole.

    Raises:
        FileNotFoundError: if one is not; it names the first and says what to do.
    """
    problems = {what: problem for what, problem in verify(profile, models, data).items() if problem}
    if problems:
        what, problem = next(iter(problems.items()))
        fetch = f"semalign fetch {profile.option}"
        raise FileNotFoundError(
            f"profile {profile.name}: {len(problems)} of its models and data are not here; `{fetch}` gets them where "
            f"there is a network, `{fetch} --verify` lists them; the first is {what}: {problem}"
        )


def _problem(check: Callable[..., Any], *arguments: Any) -> str:
    try:
        check(*arguments)
        return ""
    except (OSError, ValueError) as error:
        return str(error).splitlines()[0]


def _check_split(split: Split) -> None:
    sources.dataset_rows(*split, offline=True)


def check_model(name: str) -> None:
    """Make sure, offline, that a model is on disk with its tokenizer and all its weights.

    Raises:
        OSError: for what is missing.
        ValueError: for what is damaged.
    """
    folder = folder_of(name)
    if folder.suffix == ".gguf":
        return
    if name in MODELS and not is_complete(folder):
        raise ValueError(f"{folder} is damaged: `semalign fetch {name}` gets it again")
    check_folder(folder)
    load_config(folder)
    load_tokenizer(folder)
