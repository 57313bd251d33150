"""Give the committed records the identities of their models, where they have hashes of the weights alone.

    python data/move_identities.py

For each model of a record, the old hash is computed again from the model that is here: those in ``data/models``, and
``smollm2-135m`` and ``smollm2-135m-cut`` if they are in the cache (the page *Published weights* says how). If it is the
record's, the new identity takes its place, and no other byte of the record changes. A record with a hash that is not
that of a model here is named and left as it is.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from semalign import load_model
from semalign.evaluation.vllm_engine import VllmModel
from semalign.files import atomic_path, file_sha256, json_fingerprint
from semalign.models.identity import model_identity
from semalign.paths import results_dir
from semalign.results.records import CHECKSUM
from semalign.tensor_files import tensor_fingerprint

MODELS = ("teacher", "student", "transferred")


class Hashes(NamedTuple):
    """The old and the new hash of a model."""

    old: str
    new: str


@cache
def in_memory(name: str) -> Hashes:
    """Return the hashes of a model that transformers loads."""
    model = load_model(name)
    return Hashes(tensor_fingerprint(model.model.state_dict()), model_identity(model))


@cache
def of_files(name: str) -> Hashes:
    """Return the hashes of a model that vLLM loads."""
    model = VllmModel(name)
    weights = sorted(path for path in model.folder.iterdir() if path.suffix in (".safetensors", ".bin"))
    files = [*weights, model.folder / "config.json"]
    return Hashes(json_fingerprint({path.name: file_sha256(path) for path in files}), model.identity()["model"])


def moved(text: str) -> str:
    """Return the text of a record with the identities of its models.

    Raises:
        ValueError: if a hash of the record is not that of the model here.
        FileNotFoundError: if there is no such model here.
    """
    record = json.loads(text)
    hashes = of_files if record["configuration"].get("engine") == "vllm" else in_memory
    for role, made in model_hashes(record).items():
        if record.get(role) is None:
            raise ValueError(f"the {role} model is not kept")
        known = hashes(record[role])
        if made == known.new:
            continue
        old, new = (f'"{role}": "{each}"' for each in (made, known.new))
        if made != known.old or text.count(old) != 1:
            raise ValueError(f"its {role} is another {record[role]} than the one here")
        if CHECKSUM in record:
            raise ValueError("it has a checksum: make it again")
        text = text.replace(old, new)
    return text


def model_hashes(record: Mapping[str, dict[str, str | None]]) -> dict[str, str]:
    """Return the hashes of the models in a record, by their role."""
    return {role: made for role, made in record["fingerprints"].items() if role in MODELS and made is not None}


def move(folder: Path) -> None:
    """Move all records below a folder, and print how many, and which were left as they are."""
    count = {"moved": 0, "with their identities already": 0}
    for path in sorted(folder.rglob("*.json")):
        text = path.read_text(encoding="utf-8")
        if "fingerprints" not in json.loads(text):
            continue
        try:
            new = moved(text)
        except (ValueError, FileNotFoundError) as error:
            print(f"{path.relative_to(folder)} is left as it is: {error}")
            continue
        count["moved" if new != text else "with their identities already"] += 1
        if new != text:
            with atomic_path(path) as temporary:
                temporary.write_text(new, encoding="utf-8")
    print(", ".join(f"{number} records {what}" for what, number in count.items()))


if __name__ == "__main__":
    move(results_dir())
