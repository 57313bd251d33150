"""The machine that a plan is for, and what of its speed a job gets."""

from typing import NamedTuple

import torch

GB = 10**9


class Machine(NamedTuple):
    """GPUs of one kind.

    Attributes:
        name: name of the GPU.
        memory: bytes of one GPU.
        half: peak operations a second in half precision with dense matrices.
        single: in float32; PyTorch rounds no input to TF32 unless it is told to.
        double: in float64, on tensor cores.
        bandwidth: bytes a second from the GPU's memory.
        gpus: number of GPUs that one job may use.
        efficiency: share of the peak that passes reach.
    """

    name: str
    memory: int
    half: float
    single: float
    double: float
    bandwidth: float
    gpus: int = 1
    efficiency: float = 0.4

    @property
    def usable(self) -> int:
        """Bytes of one GPU without the CUDA context and fragments."""
        return round(self.memory * USABLE)

    def seconds(self, flops: int, dtype: torch.dtype) -> float:
        """Return the time of some operations in a type."""
        peak = {torch.float32: self.single, torch.float64: self.double}.get(dtype, self.half)
        return flops / (peak * self.efficiency)


USABLE = 0.92
MACHINES = {  # dense peaks of the data sheets of the SXM forms
    "a100": Machine("A100", 80 * GB, 312e12, 19.5e12, 19.5e12, 2.0e12),
    "h100": Machine("H100", 80 * GB, 989e12, 67e12, 67e12, 3.35e12),
}
