"""How exact a semantic basis and PyTorch's pseudoinverse are against float64, on a head of Llama 2's size.

python benchmarks/basis_error.py
"""

import torch
from bench.steps.basis import random_head
from gpu_measures import exact_rows
from measurement import write_measurement
from torch import Tensor

from semalign import SemanticBasis
from semalign.paths import results_dir

VOCABULARY, WIDTH = 32_000, 4_096
PATH = results_dir() / "speed" / "basis-error.json"


def largest(found: Tensor, exact: Tensor) -> float:
    """Return the largest error of a vector, relative to its length; of the vectors that are there in float64."""
    errors = found[: len(exact)].double() - exact
    return (errors.norm(dim=1) / exact.norm(dim=1)).max().item()


def main() -> None:
    weight = random_head(VOCABULARY, WIDTH)
    exact = exact_rows(weight)
    found = {
        "vocabulary": VOCABULARY,
        "width": WIDTH,
        "rows": len(exact),
        "ours": largest(SemanticBasis.from_weight(weight).vectors, exact),
        "pinv": largest(torch.linalg.pinv(weight).T, exact),
    }
    print(found)
    write_measurement(PATH, found)


if __name__ == "__main__":
    main()
