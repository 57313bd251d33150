"""The model card of a result: from what it was made and how, what was measured, and how to load it."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from peft import PeftModel

from semalign.errors import folded
from semalign.files import DamagedFileError, read_json
from semalign.methods.registry import Method
from semalign.models.loading import LanguageModel
from semalign.models.located import cached_folder
from semalign.results.training import layers_of
from semalign.settings import MethodSettings

TERMS_OF_USE = ("LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE")


def model_card(model: LanguageModel, method: Method, record: Mapping[str, Any], n_rows: int) -> str:
    """Return the README of a result as Markdown, in the form of the Hugging Face hub.

    Args:
        model: the adapted student, a PEFT model or a plain one.
        method: what made it.
        record: the record of the run.
        n_rows: how many rows it was trained on.
    """
    base = base_of(model)
    adapter = isinstance(model.model, PeftModel)
    text = "\n".join(
        [
            *_head(base, adapter),
            f"# {record['student']} after {record['method']}",
            "",
            f"A {'LoRA adapter' if adapter else 'model'} made by semalign. {method.description}",
            "",
            *_made(method, record, n_rows, base, adapter),
            "",
            *_measured(record),
            "",
            *_scored(base, adapter),
            "",
            *_use(base, adapter),
            "",
            "`record.json` beside this file has every setting, the losses of all steps, fingerprints of models and "
            "data, versions and the command.",
            "",
        ]
    )
    return text.encode(errors="backslashreplace").decode()  # a path may hold bytes that are no Unicode


def base_of(model: LanguageModel) -> str:
    """Return where the model comes from that was adapted: a folder, a hub id, or nothing for one made in memory."""
    network: Any = model.model.get_base_model() if isinstance(model.model, PeftModel) else model.model
    return str(network.config.name_or_path or "")


def licence_of(base: str) -> str | None:
    """Return what the files of a model say of its licence, None if they say nothing or cannot be read."""
    try:
        folder = cached_folder(base) if base else None
    except OSError:  # a name that is too long for a file
        folder = None
    if folder is None:
        return None
    with suppress(OSError):
        head = (folder / "README.md").read_text(encoding="utf-8", errors="replace").split("---")[1:2]
        if head and (found := re.search(r"^license:\s*(\S+)", head[0], re.MULTILINE)):
            return found[1]
    with suppress(OSError, DamagedFileError, AttributeError):
        if fetched := read_json(folder / "source.json").get("licence"):
            return str(fetched)
    return next((f"see its file {name}" for name in TERMS_OF_USE if os.path.isfile(folder / name)), None)


def _head(base: str, adapter: bool) -> list[str]:
    """Return the lines between dashes that the hub reads; a folder of this machine means nothing to it."""
    lines = [f"base_model: {base}"] if _on_hub(base) else []
    tags = ["base_model:adapter", "lora", "semalign"] if adapter else ["semalign"]
    library = f"library_name: {'peft' if adapter else 'transformers'}"
    return ["---", *lines, library, "pipeline_tag: text-generation", f"tags: [{', '.join(tags)}]", "---", ""]


def _on_hub(base: str) -> bool:
    try:
        validate_repo_id(base)
    except HFValidationError:
        return False
    return "/" in base and not Path(base).exists()


def _loads(base: str) -> bool:
    return bool(base) and (os.path.isdir(base) or _on_hub(base))


def _made(method: Method, record: Mapping[str, Any], n_rows: int, base: str, adapter: bool) -> Iterator[str]:
    licence = licence_of(base)
    yield "## How it was made"
    yield ""
    yield f"- **Base model**: {record['student']}" + (f" (`{base}`)" if base else "")
    if adapter and not _loads(base):
        yield "- **Base model to keep**: no folder or hub id is known that holds it as it was trained on. Save it with"
        yield "  `save_pretrained` and load it from there, since the adapter fits no other model"
    yield f"- **Teacher**: {record['teacher']}"
    yield f"- **Method**: {method.name}, seed {record['seed']}; {_differing(method, record['configuration'])}"
    if layers := layers_of(record["details"]):
        yield f"- **Layers**: {'; '.join(layers)}"
    yield f"- **Data**: {n_rows} rows of {record['task']}, {len(record['losses'])} steps"
    if licence:
        yield f"- **Licence of the base model**: {licence}; it holds for what is derived from it"


def _differing(method: Method, configuration: Mapping[str, Any]) -> str:
    """Return the settings that differ from the method's defaults, or that have none."""
    usual = _defaults(method.settings)
    other = [f"`{key}={value}`" for key, value in configuration.items() if key != "seed" and usual.get(key) != value]
    return ", ".join(other) if other else "all other settings are the method's defaults"


def _defaults(settings: type[MethodSettings]) -> dict[str, Any]:
    """Return the defaults of settings; none if a class of the user's own cannot give them by themselves."""
    try:
        return settings.model_construct().model_dump(mode="json", warnings=False)
    except Exception:  # of the class
        return {}


def _measured(record: Mapping[str, Any]) -> Iterator[str]:
    before, after = record["details"]["before"], record["details"]["after"]
    first, last = record["losses"][0], record["losses"][-1]
    yield "## What was measured"
    yield ""
    yield "| | before | after |"
    yield "|:--|--:|--:|"
    for name in first:
        yield _line(f"{name} term of the loss, first and last step", first[name], last[name])
    for name in before or ():
        n = record["details"]["held_out"]["n"]
        yield _line(f"{name} on {n} held-out rows", before[name], after[name])
    if seen := record["details"].get("held_out_seen"):
        yield ""
        yield f"Of these rows {seen['rows']} were trained on too, and {seen['prompts']} have a prompt that was."
    if not before:
        yield ""
        yield "No rows were held out, so nothing is known about other rows than those it was trained on."


def _line(what: str, *numbers: float | None) -> str:
    """Return a line of the table; a record has None for NaN and infinity."""
    cells = ["not a finite number" if number is None else f"{number:.4f}" for number in numbers]
    said = folded(what).replace("|", r"\|")
    return f"| {said} | {' | '.join(cells)} |"


def _scored(base: str, adapter: bool) -> Iterator[str]:
    student = f"{shlex.quote(base) if _loads(base) else 'path/to/the/base/model'} --adapter "
    yield "No benchmark was scored when this was made. The command for one is"
    yield ""
    yield "```sh"
    yield f"semalign evaluate {student if adapter else ''}path/to/this/folder --task TASK"
    yield "```"


def _use(base: str, adapter: bool) -> Iterator[str]:
    yield "## How to load it"
    yield ""
    yield "```python"
    if not adapter:
        yield 'from transformers import AutoModelForCausalLM, AutoTokenizer\n\nfolder = "path/to/this/folder"'
        yield "model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)"
    elif _loads(base):
        yield "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
        yield f'base = AutoModelForCausalLM.from_pretrained("{base}")'
        yield 'model = PeftModel.from_pretrained(base, "path/to/this/folder")'
        yield f'tokenizer = AutoTokenizer.from_pretrained("{base}")'
    else:
        yield "from peft import PeftModel\nfrom semalign import load_model\n"
        yield 'base, tokenizer = load_model("path/to/the/base/model")'
        yield 'model = PeftModel.from_pretrained(base, "path/to/this/folder")'
    yield "```"
