"""What the alignment map would cost with half products: rows times a triangle, and its rotation (Section 4.2).

With ``(W^T W)^-1 = Q R``, the rows ``t_i = w_i R^T`` are the vectors s_i turned by Q. They have the same lengths, and
``M = Q_T (sum_i t_i t_i^S / |t_i| |t_i^S|) Q_S^T``. A product with a triangle takes half of the operations of one with
the inverse, but R and both rotations come in. Times are processor seconds of one thread, of one head.

python benchmarks/map_by_triangle.py
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from measurement import write_measurement
from torch import Tensor
from torch.nn.functional import normalize

from semalign.bases.gram import gram
from semalign.bases.pseudoinverse import gram_pseudoinverse

BLOCK = 256
PATH = Path(__file__).resolve().parents[1] / "data" / "results" / "speed" / "map-by-triangle.json"


def seconds(run: Callable[[], object], rounds: int = 3) -> float:
    """Return the median of processor seconds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return round(median(times), 4)


def by_triangle(rows: Tensor, triangle: Tensor) -> Tensor:
    """Return ``rows R^T`` by blocks of columns, each from the columns of R that are not zero."""
    made = torch.empty_like(rows)
    for start in range(0, len(triangle), BLOCK):
        stop = min(start + BLOCK, len(triangle))
        torch.mm(rows[:, start:], triangle[start:stop, start:].T, out=made[:, start:stop])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=16_000)
    parser.add_argument("--width", type=int, default=2_048)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    weight = torch.randn(options.vocabulary, options.width) * options.width**-0.5
    inverse = gram_pseudoinverse(weight).inverse.float()
    factor, scales = torch.geqrf(inverse)
    triangle, turned = factor.triu(), gram(normalize(weight, dim=-1), torch.float32).float()
    exact = normalize(weight @ inverse, dim=-1)
    rotation = torch.linalg.householder_product(factor, scales)
    found = normalize(by_triangle(weight, triangle), dim=-1) @ rotation.T
    write_measurement(
        PATH,
        {
            **vars(options),
            "threads": 1,
            "product": seconds(lambda: weight @ inverse),
            "half_product": seconds(lambda: by_triangle(weight, triangle)),
            "factor": seconds(lambda: torch.geqrf(inverse)),
            "rotation": seconds(lambda: torch.ormqr(factor, scales, turned)),
            "difference": ((found - exact).abs().max() / exact.abs().max()).item(),
        },
    )


if __name__ == "__main__":
    main()
