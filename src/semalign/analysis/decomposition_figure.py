"""Fig. 2 as files: the bases that it compares, its data and its run record."""

import time
from pathlib import Path
from typing import Any

from semalign.analysis.decomposition import STATES, resultant_cosine
from semalign.bases.basis import SemanticBasis
from semalign.bases.frames import frame_operator, isotropic_cosine, random_basis_cosine
from semalign.data.prompts import read_prompts
from semalign.files import atomic_path, json_fingerprint
from semalign.models.identity import model_identity
from semalign.models.loading import LanguageModel
from semalign.results.records import make_record, write_record

FEW = 64  # size of the small random basis


def figure_bases(model: LanguageModel, seed: int = 0) -> dict[str, SemanticBasis]:
    """Return the bases of Fig. 2: output side, input side, and two random ones, as large as these and small."""
    output = SemanticBasis.from_model(model, "output")
    m, width = output.vectors.shape
    return {
        "output": output,
        "input": SemanticBasis.from_model(model, "input"),
        "random": SemanticBasis.random(m, width, seed),
        f"random-{FEW}": SemanticBasis.random(FEW, width, seed),
    }


def write_decomposition(
    model: LanguageModel, prompts: str | Path, out: str | Path, *, seed: int = 0, batch_size: int = 4
) -> dict[str, Any]:
    """Measure Fig. 2 for a model and write ``<out>.csv``, the figure's data, and ``<out>.json``, the record.

    Args:
        model: the model.
        prompts: see :func:`semalign.data.prompts.read_prompts`.
        out: path of the two files, without a suffix.
        seed: seed of the random bases.
        batch_size: prompts in one forward pass.
    """
    started = time.perf_counter()
    texts = read_prompts(prompts)
    bases = figure_bases(model, seed)
    table = resultant_cosine(model, texts, bases, batch_size=batch_size)
    means = table.groupby(["basis", "interface"], sort=False)["cosine"].agg(["mean", "min", "max"])
    shares = table.groupby("interface", sort=False)["mean_share"].agg(["mean", "min", "max"])
    record = make_record(
        method="decomposition",
        teacher=None,
        student=model.name,
        task=str(prompts),
        seed=seed,
        metric="resultant_cosine, output-side basis, layer outputs",
        value=means.loc[("output", "layer"), "mean"],
        n=int(table["tokens"].max()),
        configuration={"prompts": len(texts), "states": list(STATES), "dtype": str(model.model.dtype)},
        fingerprints={
            "teacher": None,
            "student": model_identity(model),
            "data": json_fingerprint(texts),
        },
        seconds=time.perf_counter() - started,
        details={
            "bases": {name: _describe(basis) for name, basis in bases.items()},
            "cosine_over_layers": {name: means.loc[name].round(4).to_dict(orient="index") for name in bases},
            "mean_share_over_layers": shares.round(4).to_dict(orient="index"),
        },
    )
    out = Path(out)
    with atomic_path(out.with_name(f"{out.name}.csv")) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")
    write_record(out.with_name(f"{out.name}.json"), record)
    return record


def _describe(basis: SemanticBasis) -> dict[str, Any]:
    """Return the numbers that describe a basis, and the cosines that follow from the basis alone."""
    m, width = basis.vectors.shape
    return {
        "side": basis.side,
        "m": m,
        "width": width,
        "fingerprint": basis.fingerprint,
        "isotropic_cosine": round(isotropic_cosine(frame_operator(basis)), 4),
        "random_basis_cosine": round(random_basis_cosine(m, width), 4),
    }
