"""Fig. 4 and 6 as files: CKA under the conditions that they compare, and the run record."""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from semalign.analysis.cka import prepared
from semalign.analysis.cka_summary import KEYS, summarise
from semalign.analysis.hsic import KERNELS, MinibatchCKA
from semalign.analysis.paired_states import StateOptions, paired_states
from semalign.bases.basis import SemanticBasis
from semalign.data.prompts import read_prompts
from semalign.files import atomic_path, json_fingerprint
from semalign.models.identity import model_identity
from semalign.models.loading import LanguageModel, load_model
from semalign.models.random_state import same_random_state
from semalign.models.students import drop_layers
from semalign.results.records import make_record, write_record
from semalign.targets.alignment import alignment_map

STATES = {"raw": False, "unit": True}  # rows as they are, and divided by their length


class Subjects(NamedTuple):
    """What CKA is measured on: a teacher, a student, and the source of the prompts that they read."""

    teacher: LanguageModel
    student: LanguageModel
    prompts: str


class Matrix(NamedTuple):
    """Which of the matrices is meant: its condition, and the states and the kernel that it is measured with."""

    condition: str
    states: str
    kernel: str


def micro_pair() -> Subjects:
    """Return the micro teacher and student, and the task whose code prompts they read."""
    return Subjects(load_model("micro-teacher"), load_model("micro-student"), "micro_humaneval")


def shortened_pair() -> Subjects:
    """Return SmolLM2-135M, its copy without every third layer, and the code prompts they read (HumanEval's)."""
    teacher = load_model("smollm2-135m")
    return Subjects(teacher, drop_layers(teacher), "humaneval")


def untrained(model: LanguageModel, seed: int) -> LanguageModel:
    """Return a model of the same architecture with weights as they are before any training."""
    with same_random_state():
        torch.manual_seed(seed)
        fresh = AutoModelForCausalLM.from_config(copy.deepcopy(model.model.config), dtype=model.model.dtype)
    return LanguageModel(fresh.to(model.model.device).eval(), model.tokenizer)


def measure_conditions(
    teacher: LanguageModel,
    student: LanguageModel,
    texts: Sequence[str],
    options: StateOptions | None = None,
    *,
    transferred: LanguageModel | None = None,
) -> pd.DataFrame:
    """Measure CKA of all layer pairs under up to five conditions.

    - ``"before"`` alignment: the models as they are.
    - ``"after"``: teacher states mapped by M.
    - ``"permuted"``: teacher states mapped by an M whose atoms are shuffled, to see what any such map does.
    - ``"transferred"``: the adapted student in the student's place.
    - ``"untrained"``: two models of the same architectures, initialised independently.

    Each is measured with the ``"linear"`` and the ``"rbf"`` kernel, for states as they are (``"raw"``) and at unit
    length (``"unit"``). One pass over teacher and student gives all of the first three.

    Args:
        teacher: the larger model.
        student: the smaller model.
        texts: prompts.
        options: which states; its seed is also that of the shuffled atoms and of the untrained models.
        transferred: the student after a transfer.

    Returns:
        One line for each ``condition``, ``states``, ``kernel``, ``teacher_layer`` and ``student_layer``, with ``cka``
        and the number of ``rows`` it is over.
    """
    options = options or StateOptions()
    bases = SemanticBasis.from_model(teacher), SemanticBasis.from_model(student)
    maps = {
        "before": None,
        "after": alignment_map(*bases),
        "permuted": alignment_map(bases[0], bases[1].permuted(options.seed)),
    }
    measures = _measure((teacher, student), texts, maps, options)
    if transferred is not None:
        measures |= _measure((teacher, transferred), texts, {"transferred": None}, options)
    fresh = untrained(teacher, options.seed), untrained(student, options.seed + 1)
    measures |= _measure(fresh, texts, {"untrained": None}, options)
    return pd.concat([_lines(matrix, measure) for matrix, measure in measures.items()], ignore_index=True)


def _measure(
    pair: tuple[LanguageModel, LanguageModel],
    texts: Sequence[str],
    maps: Mapping[str, Tensor | None],
    options: StateOptions,
) -> dict[Matrix, MinibatchCKA]:
    """Return the measures of a teacher and a student under conditions that differ in the teacher's map only."""
    measures = {
        Matrix(condition, states, kernel): MinibatchCKA(kernel)
        for condition in maps
        for states in STATES
        for kernel in KERNELS
    }
    for teacher_rows, student_rows in paired_states(*pair, texts, options):
        for matrix, measure in measures.items():
            unit = STATES[matrix.states]
            measure.add(prepared(teacher_rows, unit, maps[matrix.condition]), prepared(student_rows, unit))
    return measures


def _lines(matrix: Matrix, measure: MinibatchCKA) -> pd.DataFrame:
    """Return a matrix as a table with one line for each pair of layers, which count from 1."""
    wide = pd.DataFrame(measure.matrix().cpu().numpy())
    table = wide.rename(index=lambda i: i + 1, columns=lambda j: j + 1).stack().rename("cka")
    table = table.rename_axis(["teacher_layer", "student_layer"]).reset_index()
    table = table.assign(**matrix._asdict(), rows=measure.rows)
    return table[[*KEYS, "teacher_layer", "student_layer", "cka", "rows"]]


def write_cka(
    teacher: LanguageModel,
    student: LanguageModel,
    prompts: str | Path,
    out: str | Path,
    options: StateOptions | None = None,
    *,
    transferred: LanguageModel | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Measure Fig. 4 for a pair and write ``<out>.csv``, the figure's data, and ``<out>.json``, the record.

    Args:
        teacher: the larger model.
        student: the smaller model; :func:`micro_pair` and :func:`shortened_pair` give both, and the prompts.
        prompts: see :func:`semalign.data.prompts.read_prompts`.
        out: path of the two files, without a suffix.
        options: see :func:`measure_conditions`.
        transferred: the student after a transfer, to measure it too.
        limit: use the first prompts only.

    Returns:
        The record.
    """
    started, options = time.perf_counter(), options or StateOptions()
    texts = read_prompts(prompts)[:limit]
    table = measure_conditions(teacher, student, texts, options, transferred=transferred)
    summary = summarise(table)
    models = {"teacher": teacher, "student": student, "transferred": transferred}
    chosen = {name: value for name, value in asdict(options).items() if name != "seed"}
    record = make_record(
        method="cka",
        teacher=teacher.name,
        student=student.name,
        task=str(prompts),
        seed=options.seed,
        metric="share of student layers most similar to a teacher layer within 1 of their own; linear, raw, before",
        value=summary.iloc[0]["diagonal_share"],
        n=int(table["rows"].max()),
        configuration={**chosen, "prompts": len(texts), "dtype": str(teacher.model.dtype), "kernels": list(KERNELS)},
        fingerprints={
            **{name: None if model is None else model_identity(model) for name, model in models.items()},
            "data": json_fingerprint(texts),
        },
        seconds=time.perf_counter() - started,
        details={"summary": summary.to_dict(orient="records")},
    )
    out = Path(out)
    with atomic_path(out.with_name(f"{out.name}.csv")) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")
    write_record(out.with_name(f"{out.name}.json"), record)
    return record
