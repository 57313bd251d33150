"""Write an adapted model to a folder, each file whole."""

import os
import tempfile
from pathlib import Path

from peft import PeftModel

from semalign.models.loading import LanguageModel

CONFIGURATIONS = ("config.json", "adapter_config.json")


def save_model(model: LanguageModel, folder: Path) -> None:
    """Write a PEFT model's adapter, or a plain model with its tokenizer; other files of the folder stay.

    Without its configuration a folder holds no model or adapter, so that file is moved there last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as temporary:
        model.model.save_pretrained(temporary)
        if not isinstance(model.model, PeftModel):
            model.tokenizer.save_pretrained(temporary)
        for file in sorted(Path(temporary).iterdir(), key=lambda file: file.name in CONFIGURATIONS):
            os.replace(file, folder / file.name)
