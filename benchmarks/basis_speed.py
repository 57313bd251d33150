"""Compare the basis of a Llama-2-7B-shaped LM head with ``torch.linalg.pinv``, and the operator M with Eq. 1 and 2.

Each measurement runs in a separate process, so that its peak memory does not include the others.

    python benchmarks/basis_speed.py --rows 32000 --width 4096 --out data/results/speed/basis.json
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

from semalign.bases.basis import SemanticBasis
from semalign.files import write_json
from semalign.targets.alignment import alignment_map, decompose, recompose


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def random_head(rows: int, width: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) * width**-0.5


def measure_basis(method: str, rows: int, width: int) -> dict[str, float]:
    """Return the time, and the memory in addition to the head, of one way to compute the basis."""
    weight = random_head(rows, width, 0)
    torch.linalg.cholesky(torch.eye(8, dtype=torch.float64))  # load LAPACK before the clock starts
    base, start = peak_bytes(), time.perf_counter()
    basis = SemanticBasis.from_weight(weight).vectors if method == "semalign" else torch.linalg.pinv(weight).T
    seconds, extra = time.perf_counter() - start, peak_bytes() - base
    identity_error = (weight.double().T @ basis.double() - torch.eye(width, dtype=torch.float64)).abs().max().item()
    heads = extra / (weight.numel() * weight.element_size())
    return {"seconds": seconds, "extra_memory_in_heads": heads, "identity_error": identity_error}


def measure_target(method: str, rows: int, width: int) -> dict[str, float]:
    """Return the time to compute the targets of 2,048 teacher states, whose width is 5/4 of the student's."""
    teacher = SemanticBasis.random(rows, width * 5 // 4, seed=1)
    student = SemanticBasis.random(rows, width, seed=2)
    states = torch.randn(2048, width * 5 // 4, generator=torch.Generator().manual_seed(3))
    once = time.perf_counter()
    m = alignment_map(teacher, student) if method == "operator" else None
    unit = (teacher.unit, student.unit) if m is None else None
    start = time.perf_counter()
    target = recompose(decompose(states, unit[0]), unit[1]) if unit else states @ m
    result = {"once_seconds": start - once, "seconds": time.perf_counter() - start, "peak_bytes": float(peak_bytes())}
    return {**result, "checksum": torch.nn.functional.normalize(target, dim=-1).abs().sum().item()}


def in_child(kind: str, method: str, rows: int, width: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", kind, method, "--rows", str(rows), "--width", str(width)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=32_000)
    parser.add_argument("--width", type=int, default=4_096)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="JSON file for the measurements")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "METHOD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        kind, method = options.child
        measure = measure_basis if kind == "basis" else measure_target
        print(json.dumps(measure(method, options.rows, options.width)))
        return
    ours, peer = (in_child("basis", method, options.rows, options.width) for method in ("semalign", "pinv"))
    print(f"basis of a {options.rows} x {options.width} head, {options.threads} threads")
    for name, result in (("semalign", ours), ("torch.linalg.pinv", peer)):
        print(
            f"  {name:18s} {result['seconds']:8.1f} s, {result['extra_memory_in_heads']:5.2f} heads of memory above "
            f"the peak of making the head, largest error of W^T S - I {result['identity_error']:.1e}"
        )
    print(f"  ratio pinv / semalign: {peer['seconds'] / ours['seconds']:.1f}")
    fast, literal = (in_child("target", method, options.rows, options.width) for method in ("operator", "literal"))
    print("targets of 2,048 states")
    for name, result in (("composed operator", fast), ("Eq. 1 and 2", literal)):
        print(f"  {name:18s} {result['seconds']:8.3f} s after {result['once_seconds']:.1f} s once, ", end="")
        print(f"peak {result['peak_bytes'] / 1e9:.2f} GB, checksum {result['checksum']:.2f}")
    print(f"  ratio literal / operator: {literal['seconds'] / fast['seconds']:.1f}")
    if options.out:
        measured = {"basis": {"semalign": ours, "pinv": peer}, "targets": {"operator": fast, "literal": literal}}
        size = {"rows": options.rows, "width": options.width, "threads": options.threads}
        write_json(options.out, {**size, "torch": torch.__version__, "machine": platform.machine(), **measured})


if __name__ == "__main__":
    main()
