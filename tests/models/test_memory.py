"""Free memory, under limits of control groups, and the errors that say that it was too little."""

import psutil
import pytest
import torch
from torch import nn

from semalign.models import memory
from semalign.models.memory import TooLargeError, clear, free_bytes, is_out_of_memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (TooLargeError("one example does not fit"), False),
        (ValueError("not enough memory"), False),
    ],
)
def test_errors_of_too_little_memory_are_known(error, expected):
    assert is_out_of_memory(error) is expected


def test_a_real_error_of_the_cpu_is_known():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**46, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)


def test_the_memory_of_the_host_is_what_psutil_finds():
    clear()
    assert free_bytes(nn.Linear(1, 1)) <= psutil.virtual_memory().total
    assert free_bytes(nn.Identity()) > 0  # without parameters


@pytest.mark.parametrize("version", [2, 1])
def test_the_smallest_rest_of_a_control_group_counts(tmp_path, monkeypatch, version):
    controllers, (limit, use, droppable) = ("", "memory")[version == 1], memory.FILES[version == 1]
    parts = [tmp_path / controllers, tmp_path / controllers / "job", tmp_path / controllers / "job" / "step"]
    limits, uses = ["max" if version == 2 else "9223372036854771712", "5000", "9000"], [4000, 3000, 1000]
    for part, most, used in zip(parts, limits, uses, strict=True):
        part.mkdir(exist_ok=True)
        (part / limit).write_text(f"{most}\n")
        (part / use).write_text(f"{used}\n")
        (part / "memory.stat").write_text(f"anon 7\n{droppable} 500\n")
    own = tmp_path / "cgroup"
    own.write_text(f"0:{controllers}:/job/step\n5:cpu:/elsewhere\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN", own)
    assert free_bytes(nn.Linear(1, 1)) == 5000 - 3000 + 500
