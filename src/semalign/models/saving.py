"""Write an adapted model to a folder, whole and with its record, in place of an earlier one."""

import json
import logging
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from peft import PeftModel

from semalign.files import moved_into
from semalign.models.loading import LanguageModel
from semalign.models.saved_files import CARD, LISTED, stamps
from semalign.results.records import CONFIGURATIONS, RECORD, write_record
from semalign.stopping import postponed

logger = logging.getLogger(__name__)


def save_model(
    model: LanguageModel,
    folder: Path,
    record: Mapping[str, Any] | None = None,
    card: str | None = None,
    replaced: Collection[str] = (),
) -> None:
    """Write a PEFT model's adapter, or a plain model with its tokenizer, and a record; other files of the folder stay.

    The model card takes the place of PEFT's template. The record lists the other files
    (:mod:`semalign.models.saved_files`). Equal adapters give equal bytes.

    The earlier result is removed when the new one is whole on disk. Its configuration goes first and its record last;
    the new record comes first and the new configuration last. A model that can be loaded therefore has its own record,
    and a file of a result is never there without one.

    Args:
        model: the model.
        folder: the folder, which need not exist.
        record: the record of the run that made the model.
        card: the model card.
        replaced: names of the files of the earlier result. What else has the name of a new file is kept under another
            one, with a warning.

    Raises:
        OSError: if the disk is full or the folder cannot be written; nothing in the folder has changed then.
    """
    with ExitStack() as moving, moved_into(folder, CONFIGURATIONS) as temporary:
        _write(model, temporary, card)
        if record is not None:
            listed = {**record["details"], LISTED: stamps(temporary)}
            write_record(temporary / RECORD, {**record, "details": listed})
        moving.enter_context(postponed())  # until all files have moved
        _remove(folder, replaced)
        _set_aside(folder, (path.name for path in temporary.iterdir()))
        if record is not None:
            os.replace(temporary / RECORD, folder / RECORD)


def _write(model: LanguageModel, folder: Path, card: str | None) -> None:
    model.model.save_pretrained(folder)
    if isinstance(model.model, PeftModel):
        _sort_sets(model.model, folder / "adapter_config.json")
    else:
        model.tokenizer.save_pretrained(folder)
    (folder / CARD).unlink(missing_ok=True)
    if card is not None:
        (folder / CARD).write_text(card, encoding="utf-8")


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files: the configuration first, so that a stop leaves nothing that can be loaded without its record."""
    for name in sorted(names, key=lambda name: (name not in CONFIGURATIONS, name == RECORD)):
        (folder / name).unlink(missing_ok=True)


def _set_aside(folder: Path, names: Iterable[str]) -> None:
    """Give what is there under some names, and so is somebody else's, other names."""
    for name in filter(lambda name: os.path.lexists(folder / name), names):
        free = next(other for i in range(1, 10**6) if not os.path.lexists(other := folder / f"{name}.{i}"))
        os.replace(folder / name, free)
        logger.warning("%s is not of an earlier result: it is kept as %s", folder / name, free)


def _sort_sets(model: PeftModel, path: Path) -> None:
    """Sort what PEFT keeps as a set, such as ``target_modules``: its order changes from process to process."""
    content = json.loads(path.read_text(encoding="utf-8"))
    sets = [key for key, value in vars(model.active_peft_config).items() if isinstance(value, set)]
    content |= {key: sorted(content[key]) for key in sets}
    path.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")
