"""Write an adapted model to a folder, whole and with its record, and remove an earlier one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peft import PeftModel

from semalign.disk import write_errors
from semalign.files import moved_into
from semalign.models.loading import LanguageModel
from semalign.results.records import write_record

RECORD, CARD = "record.json", "README.md"
CONFIGURATIONS = ("config.json", "adapter_config.json")  # without one of these a folder holds no model or adapter
WEIGHTS = ("adapter_model.*", "model*.safetensors*", "generation_config.json", CARD)


def save_model(
    model: LanguageModel, folder: Path, record: Mapping[str, Any] | None = None, card: str | None = None
) -> None:
    """Write a PEFT model's adapter, or a plain model with its tokenizer, and a record; other files of the folder stay.

    The model card takes the place of PEFT's template.

    The configuration moves to the folder last and the record just before, so that a model that can be loaded has its
    own record. Equal adapters give equal bytes.

    Raises:
        OSError: if the disk is full or the folder cannot be written; nothing in the folder has changed then.
    """
    with moved_into(folder, (RECORD, *CONFIGURATIONS)) as temporary:
        model.model.save_pretrained(temporary)
        if isinstance(model.model, PeftModel):
            _sort_sets(model.model, temporary / "adapter_config.json")
        else:
            model.tokenizer.save_pretrained(temporary)
        (temporary / CARD).unlink(missing_ok=True)
        if card is not None:
            (temporary / CARD).write_text(card, encoding="utf-8")
        if record is not None:
            write_record(temporary / RECORD, dict(record))


def remove_model(folder: Path) -> None:
    """Remove a model or adapter from a folder and its record last; other files stay.

    The configuration goes first, so that a stop leaves nothing that can be loaded without its record.
    """
    with write_errors(folder):
        for name in CONFIGURATIONS:
            (folder / name).unlink(missing_ok=True)
        for path in [path for pattern in WEIGHTS for path in folder.glob(pattern)]:
            path.unlink()
        (folder / RECORD).unlink(missing_ok=True)


def _sort_sets(model: PeftModel, path: Path) -> None:
    """Sort what PEFT keeps as a set, such as ``target_modules``: its order changes from process to process."""
    content = json.loads(path.read_text(encoding="utf-8"))
    sets = [key for key, value in vars(model.active_peft_config).items() if isinstance(value, set)]
    content |= {key: sorted(content[key]) for key in sets}
    path.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")
