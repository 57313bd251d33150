"""Fig. 4 and 6 as files: the pictures they compare, how to read them, their data and their run record."""

import copy
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from semalign.analysis.cka import paired_states, prepared
from semalign.analysis.cka_reading import read_pictures
from semalign.analysis.hsic import KERNELS, MinibatchCKA
from semalign.bases.basis import SemanticBasis
from semalign.data.prompts import read_prompts
from semalign.files import atomic_path, json_fingerprint, model_fingerprint
from semalign.models.loading import LanguageModel, load_model
from semalign.models.students import drop_layers
from semalign.results.records import make_record, write_record
from semalign.targets.alignment import alignment_map

STATES = {"raw": False, "unit": True}  # rows as they are, and divided by their length
Picture = tuple[str, str, str]  # which pair or alignment, states, kernel


def micro_pair() -> tuple[LanguageModel, LanguageModel, str]:
    """Return the micro teacher and student, and the task whose code prompts they read."""
    return load_model("micro-teacher"), load_model("micro-student"), "micro_humaneval"


def shortened_pair() -> tuple[LanguageModel, LanguageModel, str]:
    """Return SmolLM2-135M, its copy without every third layer, and the code prompts they read (HumanEval's)."""
    teacher = load_model("smollm2-135m")
    return teacher, drop_layers(teacher), "humaneval"


def untrained(model: LanguageModel, seed: int) -> LanguageModel:
    """Return a model of the same architecture with weights as they are before any training."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        fresh = AutoModelForCausalLM.from_config(copy.deepcopy(model.model.config), dtype=model.model.dtype)
    return LanguageModel(fresh.to(model.model.device).eval(), model.tokenizer)


def cka_pictures(
    teacher: LanguageModel,
    student: LanguageModel,
    texts: Sequence[str],
    *,
    transferred: LanguageModel | None = None,
    seed: int = 0,
    **how: Any,
) -> pd.DataFrame:
    """Measure CKA of all layer pairs as the models are, after alignment and transfer, and for two controls.

    The pictures: ``"before"`` alignment; ``"after"``, teacher states mapped by M; ``"permuted"``, mapped by an M
    whose atoms are shuffled, to see what any such map does; ``"transferred"``, the adapted student in the
    student's place; ``"untrained"``, two models of the same architectures, initialised apart. Each with the
    ``"linear"`` and the ``"rbf"`` kernel, for states as they are (``"raw"``) and at unit length (``"unit"``).
    One pass over teacher and student makes all of the first three.

    Args:
        teacher: the larger model.
        student: the smaller model.
        texts: prompts.
        transferred: the student after a transfer.
        seed: seed of the shuffles and of the untrained models.
        how: ``interface``, ``pooling``, ``block`` and ``batch_size`` of :func:`semalign.analysis.cka.paired_states`.

    Returns:
        One row for each ``picture``, ``states``, ``kernel``, ``teacher_layer`` and ``student_layer``, with ``cka``
        and the number of ``rows`` it is over.
    """
    bases = SemanticBasis.from_model(teacher), SemanticBasis.from_model(student)
    maps = {
        "before": None,
        "after": alignment_map(*bases),
        "permuted": alignment_map(bases[0], bases[1].permuted(seed)),
    }
    measures = _measure(teacher, student, texts, maps, seed=seed, **how)
    if transferred is not None:
        measures |= _measure(teacher, transferred, texts, {"transferred": None}, seed=seed, **how)
    fresh = untrained(teacher, seed), untrained(student, seed + 1)
    measures |= _measure(*fresh, texts, {"untrained": None}, seed=seed, **how)
    return pd.concat([_rows(picture, measure) for picture, measure in measures.items()], ignore_index=True)


def _measure(
    teacher: LanguageModel, student: LanguageModel, texts: Sequence[str], maps: Mapping[str, Tensor | None], **how: Any
) -> dict[Picture, MinibatchCKA]:
    measures = {(m, states, kernel): MinibatchCKA(kernel) for m in maps for states in STATES for kernel in KERNELS}
    for teacher_rows, student_rows in paired_states(teacher, student, texts, **how):
        for (name, states, _), measure in measures.items():
            unit = STATES[states]
            measure.add(prepared(teacher_rows, unit, maps[name]), prepared(student_rows, unit))
    return measures


def _rows(picture: Picture, measure: MinibatchCKA) -> pd.DataFrame:
    matrix = pd.DataFrame(measure.matrix().cpu().numpy())
    table = matrix.rename(index=lambda i: i + 1, columns=lambda j: j + 1).stack().rename("cka")
    table = table.rename_axis(["teacher_layer", "student_layer"]).reset_index()
    names = dict(zip(("picture", "states", "kernel"), picture, strict=True))
    return table.assign(**names, rows=measure.rows)[[*names, "teacher_layer", "student_layer", "cka", "rows"]]


def write_cka(
    teacher: LanguageModel,
    student: LanguageModel,
    prompts: str | Path,
    out: str | Path,
    *,
    transferred: LanguageModel | None = None,
    limit: int | None = None,
    interface: str = "layer",
    pooling: str = "tokens",
    block: int = 256,
    batch_size: int = 8,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure Fig. 4 for a pair and write ``<out>.csv``, the figure's data, and ``<out>.json``, the record.

    Args:
        teacher: the larger model.
        student: the smaller model; :func:`micro_pair` and :func:`shortened_pair` give both, and the prompts.
        prompts: see :func:`semalign.data.prompts.read_prompts`.
        out: path of the two files, without a suffix.
        transferred: the student after a transfer, if that picture is wanted.
        limit: use the first prompts only.
        interface: see :func:`semalign.analysis.cka.cka_matrix`, as for all that follows.
        pooling: what counts as one row.
        block: most rows in one estimate of HSIC.
        batch_size: prompts in one forward pass.
        seed: seed of shuffles and of the untrained models.
    """
    started = time.perf_counter()
    texts = read_prompts(prompts)[:limit]
    how = {"interface": interface, "pooling": pooling, "block": block, "batch_size": batch_size}
    table = cka_pictures(teacher, student, texts, transferred=transferred, seed=seed, **how)
    readings = read_pictures(table)
    models = {"teacher": teacher, "student": student, "transferred": transferred}
    first = readings.iloc[0]
    record = make_record(
        method="cka",
        teacher=teacher.name,
        student=student.name,
        task=str(prompts),
        seed=seed,
        metric="share of student layers most similar to a teacher layer within 1 of their own; linear, raw, before",
        value=first["diagonal_share"],
        n=int(table["rows"].max()),
        configuration={**how, "prompts": len(texts), "dtype": str(teacher.model.dtype), "kernels": list(KERNELS)},
        fingerprints={
            **{name: None if model is None else model_fingerprint(model.model) for name, model in models.items()},
            "data": json_fingerprint(texts),
        },
        seconds=time.perf_counter() - started,
        details={"readings": readings.round(4).to_dict(orient="records")},
    )
    out = Path(out)
    with atomic_path(out.with_name(f"{out.name}.csv")) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")
    write_record(out.with_name(f"{out.name}.json"), record)
    return record
