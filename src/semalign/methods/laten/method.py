"""LaTen, Locate-Then-Align (Tan et al., ACL 2025, "Neural Incompatibility"; Appendix B.2).

Neurons of teacher and student are *located* by static attribution on a few examples; a hypernetwork is *aligned*: it
learns, on a few more, to turn the weights of the teacher's neurons into changes of the student's; the changes are
*injected* once, and no training follows.

Where the published code and the description differ, the description is what this module does:

- The code locates anew before every training step, each time on one example, which then joins the P examples of that
  step, and once more on another example to inject. Here neurons are located once, on all extract rows; the
  hypernetwork trains on alignment rows only; what it was trained for is what is injected.
- At its head the code computes the changes while it trains and never writes them into the saved weights (an early
  version did). Here the result is a plain model with the changed weights.
- :mod:`semalign.methods.laten.neurons` says where the scores differ.

The learning rate follows the code: one cycle with a step for each extract example, left at ``steps`` (Table 4's are
fewer); with more steps than extract examples the cycle has ``steps`` steps. (The code's script for Llama sets the cycle
up and never advances it, its script for Qwen does.) With grouped queries that code transfers W_o and no values; see
:mod:`semalign.methods.laten.injection` for what is done here.
"""

import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from semalign.data.rows import Example, read_rows
from semalign.methods.laten.gated import KINDS, check_gated
from semalign.methods.laten.hypernetwork import Alignment, Hypernetwork
from semalign.methods.laten.injection import injected, locate, teacher_vectors, with_weights
from semalign.methods.laten.neurons import attribute_neurons
from semalign.methods.laten.settings import LatenSettings
from semalign.methods.laten.useful_tokens import Texts, encode_for, useful_texts
from semalign.methods.runner import Data, TransferResult, transfer_record
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel, loaded
from semalign.models.pair import Pair
from semalign.results.records import write_record
from semalign.training.finetuning import response_nll

logger = logging.getLogger(__name__)


def laten(
    teacher: str | Path | LanguageModel,
    student: str | Path | LanguageModel,
    data: Data,
    *,
    output_dir: str | Path | None = None,
    validation: Data | None = None,
    task: str = "own data",
    **settings: Any,
) -> TransferResult:
    """Move knowledge from a teacher to a student by LaTen.

    The first ``extract_size`` rows locate neurons, the next ``align_size`` train the hypernetwork, further rows are not
    used. Where there are fewer rows, or more steps than rows for them, alignment rows come again, in another order.

    Args:
        teacher: a Llama-like model, or a name or path that :func:`semalign.load_model` takes.
        student: a Llama-like model; it is not changed.
        data: rows with ``prompt`` and ``response``: a JSONL file, a ``datasets`` Dataset or a list.
        output_dir: where the changed model, in the format of transformers, and its record go.
        validation: held-out rows; their response NLL is measured before and after.
        task: name of the task, for the record.
        **settings: fields of :class:`semalign.methods.laten.settings.LatenSettings`.

    Returns:
        The changed model, a plain one of the student's class; ``adapter_dir`` is its folder, which
        :func:`semalign.load_model` takes.

    Raises:
        ValueError: for unknown settings, a model that is not Llama-like, rows that are too few, too long or have
            nothing before the token to predict, all before any long work.
        FileNotFoundError: for a model or data file that does not exist.
        FloatingPointError: if the loss does not stay finite.
    """
    started, chosen = time.perf_counter(), LatenSettings(**settings)
    rows, held_out = read_rows(data), None if validation is None else read_rows(validation)
    extract, align = _split(rows, chosen)
    pair = Pair(loaded(teacher), loaded(student))
    check_gated(pair.teacher_architecture, "teacher")
    check_gated(pair.student_architecture, "student")
    texts = useful_texts(extract, pair.teacher), useful_texts(extract, pair.student)
    aligned = encode_for(pair.student, align)
    checked = None if held_out is None else encode_for(pair.student, held_out)
    changed, losses, details = _locate_and_align(pair, texts, aligned, checked, chosen)
    n = len(align if checked is None else checked)
    record = transfer_record("laten", pair, task, rows, n, chosen, started, losses, details)
    folder = None if output_dir is None else Path(output_dir)
    if folder is not None:
        _save(changed, folder)
        write_record(folder / "record.json", record)
    return TransferResult(changed, folder, record)


def _split(rows: list[dict[str, str]], settings: LatenSettings) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the rows that locate neurons and those that train the hypernetwork."""
    start, stop = settings.extract_size, settings.extract_size + settings.align_size
    if len(rows) <= start:
        raise ValueError(f"{len(rows)} rows leave none to train on after extract_size={start}: lower it or add rows")
    if len(rows) < stop:
        logger.warning("%d rows to train on, not align_size=%d: they come again", len(rows) - start, stop - start)
    return rows[:start], rows[start:stop]


def _locate_and_align(
    pair: Pair,
    texts: tuple[Texts, Texts],
    aligned: Sequence[Example],
    checked: Sequence[Example] | None,
    settings: LatenSettings,
) -> tuple[LanguageModel, list[dict[str, float]], dict[str, Any]]:
    """Return the changed student, the losses of every step, and details for the record."""
    large, small = pair.teacher_architecture, pair.student_architecture
    before = None if checked is None else {"response_nll": response_nll(small, checked)}
    scores = [attribute_neurons(model, part) for model, part in zip((large, small), texts, strict=True)]
    given, taken = locate(large, scores[0], small, scores[1], settings.neuron_share)
    dtype = torch.promote_types(small.head_weight.dtype, torch.float32)
    vectors = {name: v.to(small.device, dtype) for name, v in teacher_vectors(large, given).items()}
    hypernetwork = Hypernetwork(large.width, small.width, settings).to(small.device, dtype)
    losses = Alignment(hypernetwork, vectors, small, taken, aligned, settings).run()
    with torch.no_grad():
        deltas = hypernetwork(vectors)
        changed = with_weights(pair.student, injected(small, taken, deltas))
    details = {
        "layers": {
            kind: [list(pair) for pair in zip(given[kind].layers, taken[kind].layers, strict=True)] for kind in KINDS
        },
        "teacher_layer_scores": {kind: scores[0][kind].layers.tolist() for kind in KINDS},
        "neurons_each_layer": {kind: taken[kind].neurons.shape[1] for kind in KINDS},
        "delta_rms": {name: delta.square().mean().sqrt().item() for name, delta in deltas.items()},
        "hypernetwork_parameters": sum(p.numel() for p in hypernetwork.parameters()),
        "before": before,
        "after": None if checked is None else {"response_nll": response_nll(Architecture(changed.model), checked)},
    }
    return changed, losses, details


def _save(model: LanguageModel, folder: Path) -> None:
    """Write model and tokenizer in the format of transformers, each file whole; other files of the folder stay."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-") as temporary:
        model.model.save_pretrained(temporary)
        model.tokenizer.save_pretrained(temporary)
        # Without its configuration a folder is no model, so that comes last.
        for file in sorted(Path(temporary).iterdir(), key=lambda file: file.name == "config.json"):
            os.replace(file, folder / file.name)
